// Lines that send mail to this host: commands of a terminal, and settings of frameworks. docs/how-to/clients.md has the same.

/** @typedef {{ host: string, port: string, url: string }} Server `url`: host and port, as a URL has them */

/**
 * Return commands that send a mail, each with its program.
 * @param {Server} server
 * @returns {[string, string][]}
 */
export function commands({ host, port, url }) {
  const mail = "From: you@example.com\\nSubject: Hello\\n\\nHi there";
  return [
    ["rrpy", `rrpy send --smtp ${url} --subject Hello`],
    [
      "Python",
      `python3 -c "import smtplib; smtplib.SMTP('${host}', ${port}).sendmail(` +
        `'you@example.com', ['me@example.com'], 'Subject: Hello\\n\\nHi there')"`,
    ],
    ["swaks", `swaks --server ${url} --from you@example.com --to me@example.com --h-Subject Hello`],
    ["curl", `printf '${mail}' | curl smtp://${url} --mail-from you@example.com --mail-rcpt me@example.com -T -`],
  ];
}

/**
 * Return the settings of frameworks, each with its name. The first line is a comment with the file.
 * @param {Server} server
 * @returns {[string, string][]}
 */
export function settings({ host, port, url }) {
  return [
    [
      "Laravel",
      `# .env
MAIL_MAILER=smtp
MAIL_HOST=${host}
MAIL_PORT=${port}
MAIL_USERNAME=null
MAIL_PASSWORD=null
`,
    ],
    [
      "Symfony",
      `# .env.local
MAILER_DSN=smtp://${url}
`,
    ],
    [
      "Rails",
      `# config/environments/development.rb, in its block
config.action_mailer.delivery_method = :smtp
config.action_mailer.smtp_settings = { address: "${host}", port: ${port} }
`,
    ],
    [
      "Django",
      `# settings.py
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = "${host}"
EMAIL_PORT = ${port}
`,
    ],
    [
      "Spring",
      `# application.properties
spring.mail.host=${host}
spring.mail.port=${port}
`,
    ],
    [
      "Go",
      `// net/smtp
message := []byte("To: to@example.com\\r\\nSubject: Hello\\r\\n\\r\\nHi there\\r\\n")
err := smtp.SendMail("${url}", nil, "from@example.com", []string{"to@example.com"}, message)
`,
    ],
    [
      "WordPress",
      `<?php // wp-content/mu-plugins/mail.php
add_action('phpmailer_init', function ($mailer) {
    $mailer->isSMTP();
    $mailer->Host = '${host}';
    $mailer->Port = ${port};
});
// WordPress refuses its own default, wordpress@localhost.
add_filter('wp_mail_from', fn () => 'wordpress@example.com');
`,
    ],
    [
      "nodemailer",
      `// nodemailer
const transport = require("nodemailer").createTransport({ host: "${host}", port: ${port} });
`,
    ],
  ];
}
