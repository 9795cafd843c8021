import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { answer, startScriptedHttp, type Script, type ScriptedHttp } from '../support/scripted-http.js';
import { visit } from '../support/visit.js';

const AUTHORIZATION = 'Basic dGhlLXNlY3JldA==';

const redirect =
  (location: string, status = 302): Script =>
  (response) =>
    void response.writeHead(status, { location }).end();

describe('files of the ticket system', () => {
  let test: TestGateway;
  let api: ScriptedHttp;
  let cdn: ScriptedHttp;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-files-'));
    cdn = await startScriptedHttp(answer(200, 'the file of the cdn'));
    api = await startScriptedHttp((response, request) =>
      request.headers.authorization === AUTHORIZATION
        ? answer(200, 'the file of the api')(response, request)
        : answer(401, 'who are you?')(response, request),
    );
    const secret = generateWebhookSecret();
    const source = { name: 'default', secrets: [secret], api: { url: `${api.origin}/`, authorization: AUTHORIZATION } };
    writeFileSync(join(folder, 'sources.yaml'), JSON.stringify({ sources: [source] }));
    test = await createGateway({ settings: { SOURCES_FILE: join(folder, 'sources.yaml'), SOURCE_SECRET: secret } });
  });
  afterAll(async () => {
    await test.close();
    await api.close();
    await cdn.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    api.requests.length = 0;
    cdn.requests.length = 0;
    test.clock.advance({ hours: 1 });
  });

  /** What a guest gets of a file that stands there. */
  async function download(url: string) {
    const { guest, page } = await visit(test, { message: { attachments: [{ name: 'form.pdf', url }] } });
    const href = /\/tickets\/tkt_\w+\/attachments\/att_\w+/.exec(page.html)![0];
    expect(page.html).not.toContain(url.slice(7));
    const file = await guest.get(href);
    const told = `${file.html} ${JSON.stringify([...file.headers])}`;
    expect(told).not.toContain(AUTHORIZATION);
    expect(told).not.toContain(new URL(url).host);
    return file;
  }

  it('are fetched with the source’s credential, which the guest never sees', async () => {
    const file = await download(`${api.origin}/api/v1/ticket_attachment/81/104/7`);
    expect([file.status, file.html]).toEqual([200, 'the file of the api']);
    expect(file.headers.get('content-disposition')).toContain('form.pdf');
    expect(api.requests.map(({ headers }) => headers.authorization)).toEqual([AUTHORIZATION]);
  });

  it('follow one redirect to a cdn, without the credential', async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      cdn.requests.length = 0;
      api.scripts.push(redirect(`${cdn.origin}/signed?token=x`, status));
      const file = await download(`${api.origin}/attachments/token/abc/?name=form.pdf`);
      expect([status, file.status, file.html]).toEqual([status, 200, 'the file of the cdn']);
      expect(cdn.requests.map(({ url, headers }) => [url, headers.authorization])).toEqual([
        ['/signed?token=x', undefined],
      ]);
    }
  });

  it('follow no second redirect, and none to where nobody may look', async () => {
    const places = [
      'http://169.254.169.254/latest/meta-data',
      'https://169.254.169.254/latest/meta-data',
      'https://10.0.0.1/file',
      'https://[::ffff:10.0.0.1]/file',
      'http://example.com/file',
      'file:///etc/passwd',
      `http://user:password@${new URL(cdn.origin).host}/file`,
      'http://',
      '',
    ];
    for (const place of places) {
      api.scripts.push(redirect(place));
      const file = await download(`${api.origin}/attachments/1/x`);
      expect([place, file.status]).toEqual([place, 404]);
      test.clock.advance({ hours: 1 });
    }
    api.scripts.push(redirect(`${cdn.origin}/one`));
    cdn.scripts.push(redirect(`${cdn.origin}/two`));
    expect((await download(`${api.origin}/attachments/1/x`)).status).toBe(404);
    expect(cdn.requests.map(({ url }) => url)).toEqual(['/one']);
  });

  it('of another origin, and what is no file, never get the credential', async () => {
    await download(`${cdn.origin}/attachments/1/x`);
    expect(cdn.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    const paths = [
      '/api/v2/users.json',
      '/api/v2/attachments/../users.json',
      '/api/v2/attachments/%2e%2e/users.json',
      '/api/v2/users.json?path=/attachments/',
      '/api/v2/users.json#/attachments/1',
    ];
    for (const path of paths) {
      expect([path, (await download(`${api.origin}${path}`)).status]).toEqual([path, 404]);
      test.clock.advance({ hours: 1 });
    }
    expect(api.requests.map(({ headers }) => headers.authorization)).toEqual(paths.map(() => undefined));
  });
});
