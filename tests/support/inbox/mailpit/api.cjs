// Calls the npm package mailpit-api; prints one line of JSON for each call. Arguments: the base URL, user:password.
const { MailpitClient } = require("mailpit-api");

const [, , url, login] = process.argv;
const [username, password] = (login ?? "").split(":");
const mailpit = new MailpitClient(url, login ? { auth: { username, password } } : undefined);
const show = (name, value) => console.log(JSON.stringify([name, value ?? null]));

(async () => {
  const sent = await mailpit.sendMessage({
    From: { Email: "ann@example.com", Name: "Ann Ö" },
    To: [{ Email: "bob@example.com", Name: "Bob" }],
    Cc: [{ Email: "cc@example.com" }],
    Bcc: ["hidden@example.com"],
    Subject: "Welcome",
    Text: "Your code is 123456\n",
    HTML: '<p>See <a href="https://shop.example/a?b=1">this</a></p>',
    Attachments: [{ Filename: "a.pdf", Content: Buffer.from("%PDF-1").toString("base64"), ContentType: "application/pdf" }],
    Headers: { "X-Test": "one" },
  });
  show("sent", typeof sent.ID);
  const waited = await mailpit.waitForMessage({ query: 'subject:Welcome to:bob@example.com' }, { timeout: 20000, interval: 50 });
  show("waited", waited);
  const listed = await mailpit.listMessages();
  show("listed", listed);
  show("same id", sent.ID === waited.ID && listed.messages[0].ID === sent.ID);
  show("headers", (await mailpit.getMessageHeaders(sent.ID))["X-Test"]);
  const blob = await mailpit.getMessageAttachment("latest", waited.Attachments[0].PartID);
  show("attachment", [blob.type, await blob.text()]);
  show("source", (await mailpit.getMessageSource()).includes("\r\nSubject: Welcome\r\n"));
  show("links", await mailpit.linkCheck());
  show("html", await mailpit.renderMessageHTML());
  show("text", await mailpit.renderMessageText());
  show("tags", await mailpit.getTags());
  show("unread", (await mailpit.searchMessages({ query: "is:unread" })).messages_count);
  show("marked", await mailpit.setReadStatus({ IDs: [sent.ID], Read: false }));
  show("unread again", (await mailpit.searchMessages({ query: "is:unread" })).messages_unread);
  show("info", (await mailpit.getInfo()).Messages);
  show("web ui", (await mailpit.getConfiguration()).MessageRelay.Enabled);
  show("not served", await mailpit.setTags({ IDs: [sent.ID], Tags: ["a"] }).catch((error) => error.message.slice(0, 22)));
  show("other", await mailpit.deleteMessagesBySearch({ query: "subject:other" }));
  show("deleted", await mailpit.deleteMessages({ IDs: [sent.ID] }));
  show("left", (await mailpit.listMessages()).total);
})();
