// Stands in for Postfix' smtp-sink where that is not installed: takes every mail, keeps none, prints the same counters.
// It listens on 127.0.0.1 at the port given as its first argument. With a domain and a file as two more, each mail to that
// domain leaves a line in the file: when its last byte came (ms since 1970), a space, to whom.
import { appendFileSync } from 'node:fs';
import { type Socket, createServer } from 'node:net';

const END_OF_DATA = '\r\n.\r\n';
const [port, notedDomain, notes] = process.argv.slice(2);
let accepted = 0;

/** One SMTP conversation (RFC 5321), commands pipelined or not. */
function converse(socket: Socket): void {
  let buffer = '';
  let inData = false;
  let recipient = '';
  const command = (line: string) => {
    inData = verb(line) === 'DATA';
    if (verb(line) === 'RCPT') recipient = /<(.*)>/.exec(line)?.[1] ?? '';
    // The dot may follow DATA at once (an empty mail): the line end before it is then the one of DATA itself.
    if (inData) buffer = `\r\n${buffer}`;
    socket.write(reply(line));
    if (verb(line) === 'QUIT') socket.end();
  };
  const mail = () => {
    inData = false;
    if (notes && recipient.endsWith(`@${notedDomain}`)) appendFileSync(notes, `${Date.now()} ${recipient}\n`);
    process.stdout.write(`mesg=${++accepted}\r`);
    socket.write('250 2.0.0 Ok\r\n');
  };
  socket.setNoDelay(true).setEncoding('latin1').write('220 sink ESMTP\r\n');
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: string) => {
    buffer += chunk;
    for (;;) {
      const mark = inData ? END_OF_DATA : '\r\n';
      const end = buffer.indexOf(mark);
      if (end < 0) return;
      const line = buffer.slice(0, end);
      buffer = buffer.slice(end + mark.length);
      if (inData) mail();
      else command(line);
    }
  });
}

const verb = (line: string) => line.slice(0, 4).toUpperCase();

function reply(line: string): string {
  const answers: Record<string, string> = {
    EHLO: '250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n',
    DATA: '354 End data with <CR><LF>.<CR><LF>\r\n',
    QUIT: '221 Bye\r\n',
  };
  return answers[verb(line)] ?? '250 2.0.0 Ok\r\n';
}

createServer(converse).listen(Number(port), '127.0.0.1');
