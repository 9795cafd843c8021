import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBrand } from '../../src/templates/brand.js';
import { templatesDir } from '../../src/templates/templates.module.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { shippedBrands } from '../support/brands.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { linkOf } from '../support/mail.js';
import { TestSource } from '../support/source.js';

const sample = loadBrand(templatesDir, 'sample');
const plain = loadBrand(templatesDir, 'default');

describe('a source with a brand of its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-brands-'));
  const file = join(folder, 'sources.yaml');
  const secret = generateWebhookSecret();
  let test: TestGateway;

  const gatewayWith = (brands: Record<string, string>) => {
    const sources = Object.entries(brands).map(([name, brand]) => ({ name, secrets: [secret], brand }));
    writeFileSync(file, JSON.stringify({ sources })); // JSON is YAML
    return createGateway({ settings: { SOURCES_FILE: file, SOURCE_SECRET: secret } });
  };

  afterEach(() => test.close());
  afterAll(() => rmSync(folder, { recursive: true }));

  /** The mail that a new ticket of a source brings, and the page behind its link. */
  async function mailAndPage(name: string, locale: string) {
    const source = new TestSource(test.url, secret, test.clock, name);
    const email = `siti@${name}.example`;
    await source.post(source.event('ticket.created', { requester: { kind: 'guest', email, locale } }));
    await test.drain();
    const mail = await test.inbox.nextMailTo(email);
    const page = await (await fetch(new URL(linkOf(mail), test.url))).text();
    const style = /href="([^"]*brand-[^"]*\.css)"/.exec(page)![1]!;
    return { mail, page, css: await (await fetch(new URL(style, test.url))).text() };
  }

  it('shows it in mails and on pages: name, sender, colours, last line', async () => {
    test = await gatewayWith({ desk: 'sample', other: 'default' });
    const { mail, page, css } = await mailAndPage('desk', 'en');
    expect(mail.raw).toContain(`From: ${sample.sender}\r\n`);
    expect(mail.raw).toMatch(/^Message-ID: <[^>]*@help\.example>\r$/m);
    for (const part of [mail.html, mail.text]) expect(part).toContain('Sample Ltd, 1 Sample Street, London');
    expect(mail.html).toContain(`background-color:${sample.light.accent}`);
    expect(mail.html).toContain(sample.dark.accent);
    expect(page).toContain('Sample Help');
    expect(css).toContain(`--accent:${sample.light.accent}`);
    expect(css).toContain(`--accent:${sample.dark.accent}`);

    const { mail: second, page: otherPage, css: otherCss } = await mailAndPage('other', 'en');
    expect(second.raw).toContain('From: Support <no-reply@support.example>\r\n');
    expect(`${second.html}${second.text}${otherPage}${otherCss}`).not.toMatch(/Sample|#6b2fb3/);
    expect(otherCss).toContain(`--accent:${plain.light.accent}`);
  });

  it('must be there when the gateway starts, not when its first mail is due', async () => {
    test = await gatewayWith({ desk: 'sample' });
    const { config } = test.gateway;
    const sources = [{ ...config.sources[0]!, brand: 'nobody' }];
    expect(() => shippedBrands({ ...config, sources })).toThrow(/There is no brand "nobody"/);
  });

  it('has a last line in the language of the mail', async () => {
    test = await gatewayWith({ desk: 'sample' });
    const { mail } = await mailAndPage('desk', 'id-ID');
    expect(mail.text.trimEnd().split('\n').at(-1)).toBe('PT Sample, Jalan Sample 1, Jakarta');
  });
});
