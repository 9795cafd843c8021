/** Sample values of every mail: previews, the studio, the tests and the check at start all use the same. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Brand } from './brand.js';
import { type MailValues, type TemplateKey, templateLayouts } from './values.js';

export interface Sample<K extends TemplateKey = TemplateKey> {
  /** What this one shows: "a guest in Jakarta". */
  about: string;
  values: MailValues<K>;
}

const common = {
  ticketNumber: z.string(),
  recipientName: z.string(),
  /** Written as ISO 8601 in the file. */
  occurredAt: z.iso.datetime().transform((text) => Date.parse(text)),
  timeZone: z.string(),
  checkUrl: z.string().optional(),
  checkReference: z.string().optional(),
};

const shapes = {
  notification: z.strictObject({ ...common, guest: z.boolean(), link: z.string(), updateCount: z.int().min(1) }),
  code: z.strictObject({ ...common, code: z.string(), reference: z.string(), codeMinutes: z.int().min(1) }),
};

/**
 * Reads `templates/samples/<key>.json`: a list of `{ about, values }`, without the brand.
 * @throws Error that names the file and what is wrong
 */
export function readSamples<K extends TemplateKey>(templatesDir: string, key: K, brand: Brand): Sample<K>[] {
  const file = join(templatesDir, 'samples', `${key}.json`);
  const values: z.ZodType<object> = shapes[templateLayouts[key]];
  const list = z.array(z.strictObject({ about: z.string(), values })).min(1);
  const parsed = list.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!parsed.success) throw new Error(`${file} is not usable: ${z.prettifyError(parsed.error)}`);
  // The shape was picked by the key, which TypeScript cannot follow.
  return parsed.data.map((sample) => ({ ...sample, values: { ...sample.values, brand } as unknown as MailValues<K> }));
}

/** What an editor looks at: the values of every day, and those that words must survive. */
const LONG = {
  ticketNumber: 'ACME-SUPPORT-ESCALATION-2026-000098231',
  recipientName: 'Bartholomäus-Maximilian Wolkenstein',
};
const NAUGHTY = {
  ticketNumber: '"><img src=x onerror=alert(1)>\u202e {{link}} {{{x}}}',
  recipientName: '<script>alert(1)</script>\r\nBcc: x@y.example',
  timeZone: '../../etc/passwd',
};

/** The five kinds of values, made of a key's first sample. */
export function sampleKinds<K extends TemplateKey>(templatesDir: string, key: K, brand: Brand): Sample<K>[] {
  const [usual] = readSamples(templatesDir, key, brand);
  const isCode = templateLayouts[key] === 'code';
  const many = isCode ? { codeMinutes: 60 } : { updateCount: 12_345 };
  const kinds: [about: string, over: object][] = [
    ['usual', {}],
    ['long values', LONG],
    ['empty name', { recipientName: '', ...(isCode ? {} : { guest: false }) }],
    [isCode ? 'many minutes' : 'many updates', many],
    ['naughty values', NAUGHTY],
  ];
  return kinds.map(([about, over]) => ({ about, values: { ...usual!.values, ...over } }));
}
