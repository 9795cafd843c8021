/** Handlebars as Postern uses it: an instance of its own, strict, three helpers, no way to a prototype. */
import Handlebars from 'handlebars';
import { isTimeZone } from '../platform/locale.js';
import { momentWriter, type WriteMoment } from '../platform/moments.js';
import { quotedPrintablePiece } from '../platform/mime.js';
import { encodePage, helperNames } from './mustache.js';
import type { TemplateContext } from './values.js';

export type Template = (context: TemplateContext) => string;

const engine = Handlebars.create();
// Nothing that checkSyntax refuses is even there.
for (const name of ['lookup', 'with', 'log', 'each']) engine.unregisterHelper(name);

engine.registerHelper('eq', (one: unknown, other: unknown) => one === other);

// The words come from us, the number from the caller: `#` in a form is replaced by the number as the locale writes it.
engine.registerHelper('plural', (count: number, { hash, data }: Handlebars.HelperOptions) => {
  const { locale } = data.root as { locale: string };
  const forms = hash as Record<string, string>;
  const form = forms[pluralRules(locale).select(count)] ?? forms['other'] ?? '';
  return form.replaceAll('#', numberFormat(locale).format(count));
});

engine.registerHelper('datetime', (at: number, { data }: Handlebars.HelperOptions) => {
  const { locale, timeZone } = data.root as { locale: string; timeZone: string };
  return dateFormat(locale, timeZone)(at);
});

// What a value becomes in a page that is encoded already: see encodePage.
engine.registerHelper('encoded', (value: unknown) => {
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new TypeError('a mail prints texts and numbers only');
  return quotedPrintablePiece(engine.escapeExpression(String(value)));
});

const RUN: Handlebars.RuntimeOptions = { allowProtoPropertiesByDefault: false, allowProtoMethodsByDefault: false };

/**
 * Compiles a template that `checkSyntax` found nothing in.
 * @param output `html` escapes every value; `text` writes it as it is
 */
export function compileTemplate(source: string, output: 'html' | 'text'): Template {
  return compile(source, output === 'text');
}

/**
 * Compiles a template for HTML that prints quoted-printable.
 * @param constants values that are known now: written into the page once, not for each mail
 */
export function compileEncoded(source: string, constants: Readonly<Record<string, string>>): Template {
  const escaped = Object.entries(constants).map(([path, text]) => [path, engine.escapeExpression(text)] as const);
  return compile(encodePage(source, 'encoded', new Map(escaped), quotedPrintablePiece), true, true);
}

/** What was compiled last, by its source: whoever edits one sentence of a mail compiles that mail's other parts once. */
const compiled = new Map<string, Template>();
/** One language's mails with the page of two brands, and what a few people edit. */
const MOST_COMPILED = 200;

function compile(source: string, noEscape: boolean, ignoreStandalone = false): Template {
  const id = `${noEscape} ${ignoreStandalone} ${source}`;
  const template = compiled.get(id) ?? compileAnew(source, noEscape, ignoreStandalone);
  compiled.delete(id); // the newest stands last
  compiled.set(id, template);
  if (compiled.size > MOST_COMPILED) compiled.delete(compiled.keys().next().value!);
  return template;
}

function compileAnew(source: string, noEscape: boolean, ignoreStandalone: boolean): Template {
  const run = engine.compile<TemplateContext>(source, {
    strict: true,
    knownHelpersOnly: true,
    knownHelpers: {
      ...Object.fromEntries(helperNames.map((name) => [name, true])),
      encoded: true,
      each: false,
      with: false,
      log: false,
      lookup: false,
    },
    noEscape,
    ignoreStandalone,
  });
  return (context) => run(context, RUN);
}

// A formatter costs 50 µs to make and 1 µs to use. Sources name the time zones, so the cache has an end.
const CACHED = 500;
const cache = new Map<string, unknown>();

function cached<T>(key: string, make: () => T): T {
  const known = cache.get(key);
  if (known !== undefined) return known as T;
  if (cache.size >= CACHED) cache.clear();
  const made = make();
  cache.set(key, made);
  return made;
}

function pluralRules(locale: string): Intl.PluralRules {
  return cached(`plural ${locale}`, () => new Intl.PluralRules(locale));
}

function numberFormat(locale: string): Intl.NumberFormat {
  return cached(`number ${locale}`, () => new Intl.NumberFormat(locale));
}

function dateFormat(locale: string, timeZone: string): WriteMoment {
  // A zone that nobody knows must not cost the mail; the time then says that it is UTC.
  return cached(`date ${locale} ${timeZone}`, () =>
    momentWriter(locale, isTimeZone(timeZone) ? timeZone : 'UTC', 'long'),
  );
}
