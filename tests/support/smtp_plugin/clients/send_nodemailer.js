// Send the mail of an order with nodemailer. It trusts what NODE_EXTRA_CA_CERTS names.
const fs = require("fs");
const nodemailer = require("nodemailer");

const order = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const transport = nodemailer.createTransport({
  host: order.host,
  port: order.port,
  secure: false,
  requireTLS: order.tls,
  auth: order.login ? { user: order.username, pass: order.password } : undefined,
});

transport
  .sendMail({
    from: order.sender,
    to: order.recipients,
    subject: order.subject,
    text: order.body,
    attachments: [{ path: order.attachment }],
  })
  .then((sent) => {
    if (sent.accepted.length !== order.recipients.length) throw new Error(JSON.stringify(sent));
  })
  .catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
