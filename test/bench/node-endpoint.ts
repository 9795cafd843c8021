// A source's webhook endpoint that takes everything: it listens on 127.0.0.1 at the port given as its argument, answers each
// POST 204 and each GET with the number of messages that came, told by their `webhook-id`s.
import { createServer } from 'node:http';

const ids = new Set<unknown>();

createServer((request, response) => {
  request.resume().on('end', () => {
    if (request.method === 'GET') return void response.end(String(ids.size));
    ids.add(request.headers['webhook-id']);
    response.writeHead(204).end();
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
