"""The words around codes and links, in more than twenty languages: those that name codes, and those of other numbers.

Each is a part of a regular expression, compared without case. A word of a language with spaces begins at a word's
beginning. `~` before it allows a compound, such as `Bestätigungscode`.
"""

from __future__ import annotations

import re
from typing import Final

# Languages: en de fr es it pt nl sv da nb fi pl cs sk ro hu hr tr ru uk bg el ar fa he hi ja zh ko vi id th.
_CODE: Final = """
code codes passcode passcodes otp pin pins pincode tan mtan 2fa-code ~code ~codes ~pin ~tan einmal(?:pass|kenn)wort
~kennwort(?=\\W{0,3}einmal) one[-\\s]?time\\s(?:password|pass|key) verification\\s(?:number|key|pin)
security\\s(?:number|key) secret\\snumber mot\\sde\\spasse\\s(?:à\\susage\\sunique|temporaire|unique) code\\sde código
códigos codigo clave contraseña\\s(?:de\\sun\\ssolo\\suso|temporal|única)
senha\\s(?:de\\suso\\súnico|temporária|única) codice codici password\\smonouso ~codigo ~codice
eenmalige?\\s(?:wachtwoord|code) ~kod ~koden ~kode ~koden kod kode ~kood ~koodi ~koodin ~koodisi ~koodia
engångslösenord engangs(?:kode|passord|adgangskode) kertakäyttö\\w* kod\\w{0,4} kód\\w{0,5} cod codul codului
hasło\\sjednorazowe jednorázov\\w+\\sheslo ~kód ~kódod ~kódja jelszó\\segyszer kodu kodunuz kodunuzu şifre\\w{0,6}
parola\\s(?:unică|temporară) jednokratn\\w+\\slozink\\w код кода коду кодом пароль одноразовый одноразовый\\sпароль
пін пин пін-код пин-код κωδικ\\w+ mã mã\\sotp kode\\sotp sandi\\ssekali sandi\\sotp kata\\ssandi\\ssekali
"""
_CODE_ANYWHERE: Final = """
رمز الرمز كود کد גישה קוד कोड ओटीपी पिन รหัส コード 認証番号 確認番号 暗証番号 ワンタイムパスワード パスコード
認証キー 验证码 驗證碼 校验码 動態碼 动态码 動態密碼 动态密码
安全码 安全碼 识别码 登录码 登入碼 确认码 確認碼 口令 代码 인증번호 인증코드 코드 확인번호 보안번호 일회용
"""
_OTHER: Final = """
conduct practice review change changes freeze editor copyright
orders? ordered invoices? receipts? tickets? cases? ref references? tracking bookings? reservations? accounts?
customers? members? memberships? cards? ending ends phone tel telephone fax call mobile zip vat tax total subtotal
amount balance rooms? flights? gate suite street isbn sku items? articles? products? versions? build promo promotion
promotional discount coupons? vouchers? gift off save serial model iban bic swift licen[sc]e policy parcel shipment
package post postal postcode po\\sbox area dress source error status qr bar barcode points transaction payment id cvr
siret siren registration reg since founded established copyright invite\\sfriends referral refer years? year hrb

(?:order|customer|invoice|ticket|case|account|tracking|booking|reference|phone|confirmation|member|reservation|receipt)\\s?(?:number|no|nr)
~nummer ~nr ~numret ~nummeret bestell\\w* rechnung\\w* auftrag\\w* kunden\\w* buchung\\w* rabatt\\w* gutschein\\w*
telefon\\w* plz postleitzahl sendung\\w* ticketnummer vorgang\\w* konto\\w* mitglied\\w* aktions\\w* ust ust-idnr
steuernummer hotline artikel\\w* vertrag\\w* commande\\w* facture\\w* reçu numéro\\w* client\\w* téléphone promo\\w*
réduction remise colis suivi dossier réservation postale? montant siret pedido\\w* factura\\w* recibo número\\w*
cliente\\w* teléfono descuento cupón cup[oó]n promocional reserva\\w* envío seguimiento postal importe ordine fattura
ricevuta numero cliente telefono sconto promozionale prenotazione spedizione cap importo partita buono encomenda
fatura recibo telefone desconto cupom cupão promocional rastreio compra nota valor cep cnpj nif bestelling\\w*
bestelnummer factuur\\w* klant\\w* korting\\w* kortings\\w* boeking\\w* pakket btw kvk actie\\w* beställning\\w*
order\\w* faktura\\w* kund\\w* rabatt\\w* bokning\\w* ordre\\w* kunde\\w* kvittering\\w* tilaus\\w* lasku\\w*
alennus\\w* postnummer zamówieni\\w* faktur\\w* klient\\w* rabat\\w* rabatow\\w* telefonu przesyłk\\w* rezerwacj\\w*
objednávk\\w* slev\\w* zákaznick\\w* nip regon comand\\w* factur\\w* reducere rendelés\\w* számla\\w* kedvezmény\\w*
kupon\\w* narudžb\\w* račun\\w* popust\\w* sipariş\\w* fatura\\w* müşteri\\w* indirim\\w* rezervasyon\\w* kargo\\w*
telefon\\w* заказ\\w* счет\\w* счёт\\w* клиент\\w* телефон\\w* скидк\\w* промокод\\w* купон\\w* номер\\w* бронир\\w*
трек\\w* инн кпп огрн замовленн\\w* рахун\\w* знижк\\w* поръчк\\w* фактур\\w* отстъпк\\w* παραγγελ\\w* τιμολ\\w*
έκπτωσ\\w* τηλ\\w* κουπόνι\\w* đơn hóa giảm pesanan faktur diskon kupon pelanggan telepon resi
"""
_OTHER_ANYWHERE: Final = """
الطلب طلب فاتورة خصم هاتف عميل קופון הזמנה חשבונית הנחה טלפון ऑर्डर छूट คำสั่งซื้อ ส่วนลด 注文番号 注文 請求書
お客様番号 会員番号 クーポン
割引 電話 予約番号 郵便番号 追跡番号 伝票番号 〒 订单 訂單 发票 發票 优惠 優惠 折扣 电话 電話 会员 會員 快递 客户
邮编 运单 券码 编号 주문번호 주문 청구서 고객번호 회원번호 쿠폰 할인 전화 예약번호 운송장
"""
_UNSUBSCRIBE: Final = """
unsubscribe unsubscribing opt[-\\s_]?out abmelden abbestellen abmeldung austragen désabonner désinscri\\w+
desabonn\\w+ darse\\sde\\sbaja cancelar\\s(?:la\\s)?suscripción desuscri\\w+ disiscri\\w+ annulla\\sl.iscrizione
cancelar\\s(?:a\\s)?(?:inscrição|subscrição|assinatura) descadastr\\w+ afmelden uitschrijven avregistrera
avprenumerera avmeld\\w* afmeld\\w* peruuta\\stilaus wypisz\\w* zrezygnuj odhlásit odhlášení dezabon\\w+ leiratkoz\\w*
abonelikten отписаться отписка відписатися διαγραφή
"""
_UNSUBSCRIBE_ANYWHERE: Final = (
    "إلغاء\\sالاشتراك הסר配信停止 購読解除 配信停止 退订 退訂 取消订阅 取消訂閱 수신거부 구독\\s?취소"
)


def _any(words: str, anywhere: str) -> str:
    """Return the expression of one of these words: the longest first, since the first that fits counts."""
    simple = sorted((word for word in words.split() if not word.startswith("~")), key=len, reverse=True)
    endings = sorted((word[1:] for word in words.split() if word.startswith("~")), key=len, reverse=True)
    found = [rf"(?<!\w)(?:{'|'.join(simple)})(?!\w)", *sorted(anywhere.split(), key=len, reverse=True)]
    if endings:
        found.insert(1, rf"(?<!\w)\w{{2,24}}(?:{'|'.join(endings)})(?!\w)")
    return "|".join(found)


KEYWORD: Final = re.compile(
    f"(?P<other>{_any(_OTHER, _OTHER_ANYWHERE)})|(?P<code>{_any(_CODE, _CODE_ANYWHERE)})", re.IGNORECASE
)
"""A word near a number: the group `code` for one that names codes, `other` for one that names another number."""
UNSUBSCRIBE: Final = re.compile(_any(_UNSUBSCRIBE, _UNSUBSCRIBE_ANYWHERE), re.IGNORECASE)
"""The words of a link that ends a subscription."""

PROMOTION: Final = re.compile(
    r"\d\s?%|(?<!\w)(?:checkout|discount|promo\w{0,10}|coupons?|vouchers?|sale|gift\scard|rabat\w*|gutschein\w*|réduction|remise"
    r"|descuento|cup[oó]n|sconto|buono|desconto|cupom|korting\w*|zniżk\w*|скидк\w*|промокод\w*|slev\w*|kedvezmény\w*|indirim\w*"
    r"|reducere|alennus\w*|знижк\w*|έκπτωσ\w*|giảm|diskon)(?!\w)|クーポン|割引|优惠|折扣|쿠폰|할인|خصم|קופון|הנחה",
    re.IGNORECASE,
)
"""A word of a line about a price: a word of letters and digits there is not a code to sign in."""
