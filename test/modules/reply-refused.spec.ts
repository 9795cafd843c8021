import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { png } from '../support/files.js';
import { count } from '../support/tables.js';
import { visit } from '../support/visit.js';

describe('a reply that nobody can take', () => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway(); // without OUTBOUND_URL
  });
  afterAll(() => test.close());

  it('is refused where the source takes none, and nothing of it is kept', async () => {
    const { guest, page, ticketId } = await visit(test);
    expect(page.text).toContain('it cannot take replies');
    const token = page.forms.find(({ action }) => action.endsWith('/logout'))!.fields.formToken!;
    const fields = { formToken: token, formKey: 'an-old-page-1', body: 'Is anybody there?' };
    const refused = await guest.post(`/tickets/${ticketId}/replies`, fields, {
      files: [{ name: 'a.png', content: png() }],
    });
    expect(refused.status).toBe(409);
    expect(refused.text).toContain('it cannot take replies');
    expect(await count(test, 'replies')).toBe(0);
    expect(await count(test, 'attachments')).toBe(0);
  });

  it('is answered calmly where the form is broken and there is no session', async () => {
    const answer = await new Guest(test.url).request('/tickets/tkt_01m83bf8bqbnjnkw80y0gj7wyz/replies', {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      body: '--x\r\nContent-Disposition: form-data; name="body"\r\n\r\nbroken off',
    });
    expect(answer.status).toBe(400);
    expect(test.logs.join('')).not.toContain('a page failed');
  });
});
