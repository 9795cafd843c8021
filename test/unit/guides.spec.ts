import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { packageRoot } from '../../src/config.js';
import { readWebhook } from '../../src/intake/sources/read.js';
import { adapterNames, readSources, type Source } from '../../src/sources.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';

const folder = join(packageRoot, 'docs', 'sources');
const guides = readdirSync(folder).filter((name) => name !== 'README.md');
const blocksOf = (guide: string, language: string) =>
  [...readFileSync(join(folder, guide), 'utf8').matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, 'g'))].map(
    ([, block]) => block!,
  );

/** The one source of a guide, with secrets where it takes them from the environment. */
function sourceOf(guide: string): { source: Source; problems: string[] } {
  const problems: string[] = [];
  const yaml = blocksOf(guide, 'yaml')[0]!
    .replace(/\$\{\w+\}/g, `"${generateWebhookSecret()}"`)
    .replace(/(Basic )"(\w+)[^"]*"/, '$1$2');
  const { sources } = parse(yaml) as { sources: unknown };
  const limits = { defaultLocale: 'en', quietWindowSeconds: 30, allowPrivateHosts: [], allowHttp: false };
  return { source: readSources({ raw: sources, place: guide, ...limits }, problems)[0]!, problems };
}

/** What placeholders become: a value that fits their name. */
const filled = (body: string) =>
  body.replace(/\{\{([\w.]+)[^}]*\}\}/g, (_, name: string) => {
    if (name.includes('email')) return 'siti@example.com';
    if (name.endsWith('_at') || name.endsWith('timestamp')) return '2026-11-23T02:15Z';
    if (name.endsWith('is_public')) return 'true';
    return name.endsWith('id') ? '81' : 'Open';
  });

describe('the guides', () => {
  it('are there for every adapter, and the index names each', () => {
    const index = readFileSync(join(folder, 'README.md'), 'utf8');
    for (const guide of guides) expect(index).toContain(`(${guide})`);
    expect(guides.map((guide) => sourceOf(guide).source.adapter).sort()).toEqual([...adapterNames].sort());
  });

  it.each(guides)('%s: its settings are taken as they stand', (guide) => expect(sourceOf(guide).problems).toEqual([]));

  it.each(guides.filter((guide) => blocksOf(guide, 'json').length > 0))('%s: its body is a public reply', (guide) => {
    for (const body of blocksOf(guide, 'json')) {
      const mediaType = guide === 'cloudevents.md' ? 'application/cloudevents+json' : 'application/json';
      const webhook = { headers: {}, rawBody: Buffer.from(filled(body)), mediaType, now: Date.now() };
      expect(readWebhook(sourceOf(guide).source, webhook, true)).toMatchObject([
        {
          event: {
            type: 'ticket.replied',
            data: { requester: { email: { given: 'siti@example.com' } }, message: { visibility: 'public' } },
          },
        },
      ]);
    }
  });
});
