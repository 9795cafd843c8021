// Bare nodemailer, a pool of 10 connections and nothing around it: node loop.mjs compose|mime MAILS
//   compose  nodemailer builds each mail from html and text, as applications usually have it do
//   mime     nodemailer is handed the finished bytes and only speaks SMTP
// SMTP_PORT says where the sink listens. Prints one JSON line: { mails_per_s, cpu_ms_per_mail }, CPU of this process only.
import { createTransport } from 'nodemailer';

const CONNECTIONS = 10;
const WARM_UP = 100;
const FROM = 'no-reply@support.example';
const mode = process.argv[2];
const mails = Number(process.argv[3]);

const paragraphs = '<p style="color:#333">Halo dunia tiket </p>\r\n'.repeat(250);
const html = `<html><body>${paragraphs}</body></html>`;
const text = 'halo '.repeat(100);

const part = (type, body) => `--b\r\nContent-Type: ${type}\r\n\r\n${body}\r\n`;
const body = `${part('text/plain', text)}${part('text/html', html)}--b--\r\n`;

const header = (i) =>
  [
    `From: ${FROM}`,
    `To: guest${i}@example.com`,
    `Subject: Tiket ${i}`,
    `Message-ID: <${i}@support.example>`,
    'MIME-Version: 1.0',
    'Content-Type: multipart/alternative; boundary=b',
  ].join('\r\n');

const makers = {
  compose: (i) => ({ from: FROM, to: `guest${i}@example.com`, subject: `Tiket ${i}`, text, html }),
  mime: (i) => ({ envelope: { from: FROM, to: [`guest${i}@example.com`] }, raw: `${header(i)}\r\n\r\n${body}` }),
};
const make = makers[mode];

const transport = createTransport({
  host: '127.0.0.1',
  port: Number(process.env.SMTP_PORT),
  pool: true,
  maxConnections: CONNECTIONS,
  maxMessages: Infinity,
  ignoreTLS: true,
});

for (let i = 0; i < WARM_UP; i++) await transport.sendMail(make(i));

// Twice as many senders as connections, so that a connection never waits for its next mail.
let next = 0;
const sender = async () => {
  while (next < mails) await transport.sendMail(make(next++));
};
const cpuBefore = process.cpuUsage();
const startedAt = performance.now();
await Promise.all(Array.from({ length: CONNECTIONS * 2 }, sender));
const seconds = (performance.now() - startedAt) / 1000;
const cpu = process.cpuUsage(cpuBefore);

console.log(JSON.stringify({ mails_per_s: mails / seconds, cpu_ms_per_mail: (cpu.user + cpu.system) / 1000 / mails }));
transport.close();
