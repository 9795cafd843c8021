import { png } from '../support/files.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { rows } from '../support/tables.js';
import { visit } from '../support/visit.js';

describe('the files of a reply', () => {
  let test: TestGateway;
  beforeAll(async () => {
    // Nobody has to listen there: the reply only has to be taken.
    const outbound = { OUTBOUND_URL: 'http://127.0.0.1:9/', OUTBOUND_SECRET: generateWebhookSecret() };
    test = await createGateway({ settings: outbound });
  });
  afterAll(() => test.close());

  it('are gone for the guest once the source takes the reply back', async () => {
    const ticket = { id: 'w-1', number: '1' };
    const { guest, page, ticketId } = await visit(test, { ticket });
    await guest.submit(page, '/replies', { body: 'See the picture' }, { files: [{ name: 'a.png', content: png() }] });
    const [file] = await rows(test, 'attachments');
    const [reply] = await rows(test, 'replies');
    const path = `/tickets/${ticketId}/attachments/${String(file!.id)}`;
    expect((await guest.get(path)).status).toBe(200);

    const message = { id: 'echo', author: { kind: 'requester' }, replyId: String(reply!.id) };
    await test.source.send('ticket.replied', { ticket, message });
    expect((await guest.get(path)).status).toBe(200);
    await test.source.send('message.retracted', { ticket, message });
    expect((await guest.get(path)).status).toBe(404);
  });
});
