/**
 * `templates/translations.json`: of which English each translation was made, and how far it is. Locale → unit → first
 * 8 digits of the SHA-256 over the English text, and after a blank the state if it is not `translated`.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { sourceHash, type Unit } from './units.js';

/** Those of XLIFF 2.1; `initial` is what nobody has translated. */
export const states = ['initial', 'translated', 'reviewed', 'final'] as const;
export type State = (typeof states)[number];

const shape = z.record(
  z.string(),
  z.record(z.string(), z.string().regex(/^[0-9a-f]{8}(?: (?:reviewed|final))?$/, 'must be a hash and a state')),
);

export class Lock {
  private constructor(
    private readonly path: string,
    private readonly locales: Record<string, Record<string, string>>,
  ) {}

  /** @throws Error if the file is not what `save` writes */
  static read(templatesDir: string): Lock {
    const path = join(templatesDir, 'translations.json');
    if (!existsSync(path)) return new Lock(path, {});
    const parsed = shape.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    if (!parsed.success) throw new Error(`${path} is not usable: ${z.prettifyError(parsed.error)}`);
    return new Lock(path, parsed.data);
  }

  /** `unknown`: nobody has recorded it; `stale`: made of another English. */
  age(locale: string, source: Unit): 'current' | 'stale' | 'unknown' {
    const entry = this.locales[locale]?.[source.id];
    if (entry === undefined) return 'unknown';
    return entry.startsWith(sourceHash(source.text)) ? 'current' : 'stale';
  }

  /** The state of a translation that is there: one of another English must be translated again. */
  state(locale: string, source: Unit): State {
    const age = this.age(locale, source);
    if (age === 'stale') return 'initial';
    const [, state = 'translated'] = this.locales[locale]?.[source.id]?.split(' ') ?? [];
    return state as State;
  }

  /** Records that a translation is one of today's English. Without a state, the one it has is kept. */
  accept(locale: string, source: Unit, state: State = this.state(locale, source)): void {
    const entries = (this.locales[locale] ??= {});
    const later = state === 'reviewed' || state === 'final' ? ` ${state}` : '';
    entries[source.id] = `${sourceHash(source.text)}${later}`;
  }

  /** Forgets what there is no English for. */
  keepOnly(locale: string, ids: ReadonlySet<string>): void {
    for (const id of Object.keys(this.locales[locale] ?? {})) if (!ids.has(id)) delete this.locales[locale]![id];
  }

  save(): void {
    const sorted = Object.keys(this.locales).sort();
    const text = Object.fromEntries(
      sorted.map((locale) => [locale, Object.fromEntries(Object.entries(this.locales[locale]!).sort())]),
    );
    writeFileSync(this.path, `${JSON.stringify(text, null, 2)}\n`);
  }
}
