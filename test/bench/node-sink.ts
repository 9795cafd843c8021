// Stands in for Postfix' smtp-sink where that is not installed: takes every mail, keeps none, prints the same counters.
// It listens on 127.0.0.1 at the port given as its one argument.
import { type Socket, createServer } from 'node:net';

const END_OF_DATA = '\r\n.\r\n';
let accepted = 0;

/** One SMTP conversation (RFC 5321), commands pipelined or not. */
function converse(socket: Socket): void {
  let buffer = '';
  let inData = false;
  const command = (line: string) => {
    inData = verb(line) === 'DATA';
    // The dot may follow DATA at once (an empty mail): the line end before it is then the one of DATA itself.
    if (inData) buffer = `\r\n${buffer}`;
    socket.write(reply(line));
    if (verb(line) === 'QUIT') socket.end();
  };
  const mail = () => {
    inData = false;
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

createServer(converse).listen(Number(process.argv[2]), '127.0.0.1');
