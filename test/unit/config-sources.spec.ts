import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig } from '../../src/config.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';

const secret = generateWebhookSecret();
const other = generateWebhookSecret();
let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'postern-test-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The sources that a `sources.yaml` gives. */
function sources(yaml: string, environment: Record<string, string> = {}) {
  const file = join(folder, 'sources.yaml');
  writeFileSync(file, yaml);
  return loadConfig({ NODE_ENV: 'test', DATA_DIR: folder, SOURCES_FILE: file, ...environment }).sources;
}

function problems(yaml: string, environment: Record<string, string> = {}): string[] {
  try {
    sources(yaml, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const minimal = (more = '') => `sources:\n  - name: acme\n    secrets: ["${secret}"]\n${more}`;

describe('sources.yaml', () => {
  it('gives each source with what it leaves out completed', () =>
    expect(sources(minimal(), { DEFAULT_LOCALE: 'id' })).toEqual([
      {
        name: 'acme',
        adapter: 'standard',
        api: null,
        writer: null,
        eventsPerMinute: null,
        secrets: [secret],
        brand: 'default',
        defaultLocale: 'id',
        quietWindowSeconds: 30,
        ticketPage: null,
        handoff: 'token',
        handoffSecrets: [secret],
        accountTicketPage: null,
        accountHosts: [],
        outbound: null,
      },
    ]));

  it('gives a source that says nothing the quiet window of the setting', () =>
    expect(
      ['0', '5', '3600'].map((seconds) => sources(minimal(), { QUIET_WINDOW_SECONDS: seconds })[0]!.quietWindowSeconds),
    ).toEqual([0, 5, 3600]));

  it('takes ${NAME} from the environment as the documentation writes it, in quotes, or within a value', () => {
    const yaml = `
sources:
  - name: acme
    secrets: [\${ACME_SECRET}, "\${ACME_FORMER}"]
    brand: acme
    defaultLocale: id
    quietWindowSeconds: 0
    accountTicketPage: https://app.example/support/{id}
    accountHosts: [app.example, '\${HOST_NAME}']
    outbound: { url: https://\${HOST_NAME}/hooks/postern, secret: \${ACME_SECRET}, events: [ticket.guest_replied, notification.*] }
    # secrets: [\${NOT_NEEDED}]
`;
    expect(sources(yaml, { ACME_SECRET: secret, ACME_FORMER: other, HOST_NAME: 'help.example' })).toEqual([
      {
        name: 'acme',
        adapter: 'standard',
        api: null,
        writer: null,
        eventsPerMinute: null,
        secrets: [secret, other],
        brand: 'acme',
        defaultLocale: 'id',
        quietWindowSeconds: 0,
        ticketPage: null,
        handoff: 'token',
        handoffSecrets: [secret, other],
        accountTicketPage: 'https://app.example/support/{id}',
        accountHosts: ['app.example', 'help.example'],
        outbound: {
          url: 'https://help.example/hooks/postern',
          secret,
          events: ['ticket.guest_replied', 'notification.*'],
        },
      },
    ]);
  });

  it('cannot be broken by what a variable holds', () => {
    const yaml = minimal('    accountHosts: [${HOST_NAME}]\n');
    for (const value of ['a: b', '"', "'", '# x', '${HOME}', '- x\n- y', '}', '\\', '*a'])
      expect(sources(yaml, { HOST_NAME: value })[0]!.accountHosts).toEqual([value]);
  });

  it.each<[string, string, RegExp, Record<string, string>?]>([
    ['no source at all', 'sources: []', /there is no source/],
    ['nothing in it', '', /there is no source/],
    ['two sources of one name', `${minimal()}  - { name: acme, secrets: ["${other}"] }\n`, /same name/],
    ['a name that an address cannot hold', minimal().replace('acme', 'Acme/1'), /name/],
    ['no secret', 'sources:\n  - { name: acme, secrets: [] }', /secrets/],
    ['a secret that is too short', 'sources:\n  - { name: acme, secrets: [whsec_AAAA] }', /whsec_/],
    ['a setting that does not exist', minimal('    acountHosts: [a.example]\n'), /acountHosts/],
    ['an adapter that does not exist', minimal('    adapter: zendeks\n'), /adapter/],
    ['a locale that is none', minimal('    defaultLocale: "?"\n'), /defaultLocale/],
    ['a quiet window of a day', minimal('    quietWindowSeconds: 86400\n'), /quietWindowSeconds/],
    ['a quiet window in words', minimal('    quietWindowSeconds: 30s\n'), /quietWindowSeconds/],
    ['a brand outside of its folder', minimal('    brand: ../../etc\n'), /brand/],
    [
      'a ticket page without a scheme',
      minimal('    ticketPage: "help.example/{id}"\n'),
      /0\.ticketPage must be an http/,
    ],
    [
      'a ticket page on any host',
      minimal('    ticketPage: "https://{id}.example/"\n'),
      /0\.ticketPage must name its host/,
    ],
    ['a ticket page with other places', minimal('    ticketPage: "https://a.example/{x}"\n'), /ticketPage may have/],
    [
      'a ticket page of plain http where links are https',
      minimal('    ticketPage: "http://help.example/{id}"\n'),
      /ticketPage of acme must be https/,
      { PUBLIC_URL: 'https://support.example' },
    ],
    [
      'a handoff that is none',
      minimal('    ticketPage: "https://a.example/{id}"\n    handoff: saml\n'),
      /handoff must be/,
    ],
    [
      'a handoff that leads nowhere',
      minimal('    handoff: jwt\n'),
      /handoff of acme is for a source with a ticketPage/,
    ],
    [
      'a handoff that nobody could redeem',
      'sources:\n  - { name: acme, adapter: zammad, secrets: [a secret of sixteen], ticketPage: "https://a.example/{id}" }',
      /handoffSecret of acme is missing/,
    ],
    [
      'a handoff secret that is none',
      minimal('    ticketPage: "https://a.example/{id}"\n    handoffSecret: short\n'),
      /handoffSecret must be whsec_/,
    ],
    [
      'a handoff secret that nothing is signed with',
      minimal(`    ticketPage: "https://a.example/{id}"\n    handoff: jwt\n    handoffSecret: ${secret}\n`),
      /handoffSecret of acme is for/,
    ],
    ['a page that is no address', minimal('    accountTicketPage: "{id}"\n'), /accountTicketPage/],
    ['a script as a page', minimal('    accountTicketPage: "javascript:alert({id})"\n'), /accountTicketPage/],
    [
      'a page of plain http where links are https',
      minimal('    accountTicketPage: "http://app.example/{id}"\n'),
      /accountTicketPage .* https/,
      { PUBLIC_URL: 'https://support.example' },
    ],
    [
      'an outbound address without https',
      minimal(`    outbound: { url: "http://help.example/x", secret: "${secret}" }\n`),
      /https/,
    ],
    [
      'a pattern that is none',
      minimal(`    outbound: { url: "https://help.example/x", secret: "${secret}", events: ["*"] }\n`),
      /events/,
    ],
    ['a variable that is not set', minimal('    accountHosts: [${NOT_SET}]\n'), /NOT_SET/],
    ['a variable that is empty', minimal('    accountHosts: [${EMPTY}]\n'), /EMPTY/, { EMPTY: '' }],
    ['something that is not YAML', 'sources: [', /YAML/],
  ])('is refused with %s', (_what, yaml, problem, environment = {}) => {
    const found = problems(yaml, environment);
    expect(found).toContainEqual(expect.stringMatching(problem));
    expect(found.join()).toContain('sources.yaml');
  });

  it('may name an outbound address by plain http where the host is allowed by name', () => {
    const yaml = minimal(`    outbound: { url: "http://desk.internal:8080/x", secret: "${secret}" }\n`);
    expect(sources(yaml, { ALLOW_PRIVATE_HOSTS: 'desk.internal' })[0]!.outbound!.url).toBe(
      'http://desk.internal:8080/x',
    );
  });

  it('is refused with all of its faults at once, and shows no secret', () => {
    const found = problems(
      `sources:\n  - { name: A, secrets: [whsec_planted], brand: "!" }\n  - { name: b, secrets: ["planted"] }\n`,
    );
    expect(found.length).toBeGreaterThanOrEqual(4);
    expect(found.join()).not.toContain('planted');
    expect(problems('sources: [whsec_planted').join()).not.toContain('planted');
  });

  it('needs a key in production for a JWT, and only for that', () => {
    const page = '    ticketPage: "https://a.example/{id}"\n';
    const ofKeys = (yaml: string, keys = '', environment = 'production') =>
      problems(yaml, { NODE_ENV: environment, HANDOFF_KEYS: keys }).filter((one) => one.includes('HANDOFF_KEYS'));
    expect(ofKeys(minimal(`${page}    handoff: jwt\n`))).toEqual([expect.stringContaining('kid:base64')]);
    expect(ofKeys(minimal(page))).toEqual([]);
    expect(ofKeys(minimal(`${page}    handoff: jwt\n`), '', 'development')).toEqual([]);
    const seed = Buffer.alloc(33, 'planted').toString('base64');
    for (const keys of [`h1:${seed}`, `h1:${seed.slice(0, 20)}`, `h1:${seed},h1:${seed}`, 'planted']) {
      expect(ofKeys(minimal(), keys)).toHaveLength(1);
      expect(ofKeys(minimal(), keys).join()).not.toContain(seed.slice(0, 20));
    }
  });

  it('is named if it cannot be read', () => {
    const config = { NODE_ENV: 'test', DATA_DIR: folder, SOURCES_FILE: join(folder, 'missing.yaml') };
    expect(() => loadConfig(config)).toThrow(/missing\.yaml cannot be read/);
  });
});

describe('without a file', () => {
  it('one source "default" is made of three variables', () =>
    expect(
      loadConfig({
        NODE_ENV: 'test',
        DATA_DIR: folder,
        SOURCE_SECRET: secret,
        OUTBOUND_URL: 'https://help.example/x',
        OUTBOUND_SECRET: other,
      }).sources,
    ).toMatchObject([
      { name: 'default', secrets: [secret], outbound: { url: 'https://help.example/x', secret: other } },
    ]));
});
