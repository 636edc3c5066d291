// Calls the commands of the npm package cypress-mailpit, with promises in place of Cypress's chains.
const { readFileSync } = require("node:fs");

const [, , url] = process.argv;
const file = require.resolve("cypress-mailpit/dist/src/MailpitCommands.js");
globalThis.Cypress = { expose: () => url, config: () => 20000 };
globalThis.cy = {
  env: async () => ({}),
  wrap: async (value) => value,
  wait: (time) => new Promise((resolve) => setTimeout(resolve, time)),
  request: async ({ method, url, qs, body }) => {
    const query = qs ? `?${new URLSearchParams(qs)}` : "";
    const headers = body ? { "Content-Type": "application/json" } : {};
    const answer = await fetch(url + query, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status}: ${text}`);
    return { body: (answer.headers.get("content-type") ?? "").includes("json") ? JSON.parse(text) : text };
  },
};
const show = (name, value) => console.log(JSON.stringify([name, value ?? null]));

(async () => {
  const { MailpitCommands } = await import(`data:text/javascript,${encodeURIComponent(readFileSync(file, "utf8"))}`);
  const commands = new MailpitCommands();
  await commands.mailpitSendMail();
  await commands.mailpitHasEmailsBySubject("Hello Mailpit");
  await commands.mailpitNotHasEmailsByTo("nobody@example.com");
  const mail = await commands.mailpitGetMail();
  show("subject", await commands.mailpitGetSubject(mail));
  show("from", await commands.mailpitGetFromAddress(mail));
  show("to", await commands.mailpitGetRecipientAddress(mail));
  show("bcc", mail.Bcc.map((each) => each.Address));
  show("html", await commands.mailpitGetMailHTMlBody(mail));
  show("text", await commands.mailpitGetMailTextBody(mail));
  show("attachments", await commands.mailpitGetAttachments(mail));
  await commands.mailpitSetStatusAsUnRead(mail);
  show("unread", (await commands.mailpitGetAllMails()).unread);
  await commands.mailpitSetAllEmailStatusAsRead();
  show("all read", (await commands.mailpitGetAllMails()).unread);
  await commands.mailpitDeleteEmailsBySearch("subject:Hello");
  show("left", (await commands.mailpitGetAllMails()).messages_count);
  await commands.mailpitDeleteAllEmails();
})();
