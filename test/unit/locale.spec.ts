import type { FastifyRequest } from 'fastify';
import { matchLocale } from '../../src/platform/locale.js';
import { acceptedLanguages } from '../../src/portal/visitor.js';

const LOCALES = 'ar de en es es-419 fil fr he hi id it ja ko ms nl pl pt-BR ru th tr uk vi zh-Hans zh-Hant'.split(' ');
const answer = (wanted: string | null, available = LOCALES) => {
  const match = matchLocale([wanted], available);
  return match && `${match.locale} ${match.reason}`;
};

describe('one tag', () => {
  it.each([
    ['id', 'id exact'],
    ['ES-mx', 'es-419 family'],
    ['es-AR', 'es-419 family'],
    ['es-US', 'es-419 family'],
    ['es-419', 'es-419 exact'],
    ['es', 'es exact'],
    ['es-ES', 'es language'],
    ['es-GQ', 'es language'],
    ['pt', 'pt-BR family'],
    ['pt-PT', 'pt-BR family'],
    ['pt-BR', 'pt-BR exact'],
    ['zh', 'zh-Hans script'],
    ['zh-CN', 'zh-Hans script'],
    ['zh-SG', 'zh-Hans script'],
    ['zh_TW', 'zh-Hant script'],
    ['zh-HK', 'zh-Hant script'],
    ['zh-MO', 'zh-Hant script'],
    ['zh-Hant-HK', 'zh-Hant language'],
    ['cmn-Hant', 'zh-Hant exact'],
    ['in', 'id exact'],
    ['iw-IL', 'he language'],
    ['tl', 'fil exact'],
    ['tl-PH', 'fil language'],
    ['en-GB', 'en language'],
    ['en-GB-oxendict', 'en language'],
    ['fr-CA', 'fr language'],
    ['de-u-nu-latn', 'de language'],
    ['ar-EG', 'ar language'],
    ['ms-Arab', null],
    ['nb', null],
    ['no', null],
    ['sr', null],
    ['xx', null],
    ['not a tag', null],
    ['*', null],
    ['', null],
    [null, null],
  ])('%j is answered by %j', (wanted, expected) => expect(answer(wanted)).toBe(expected));

  it('takes the next kind of a language where the nearest is missing', () => {
    expect(answer('es-MX', ['en', 'es'])).toBe('es language');
    expect(answer('es-ES', ['en', 'es-419'])).toBe('es-419 family');
    expect(answer('es-419', ['en', 'es'])).toBe('es language');
    expect(answer('en-AU', ['en-GB', 'id'])).toBe('en-GB family');
  });

  it('never takes the same language in another script', () => {
    expect(answer('zh-TW', ['en', 'zh', 'zh-Hans'])).toBeNull();
    expect(answer('zh-CN', ['en', 'zh-Hant'])).toBeNull();
    expect(answer('sr-Latn', ['sr'])).toBeNull();
  });

  it('takes no locale that is not usable', () => {
    expect(matchLocale(['es-MX'], LOCALES, (locale) => locale === 'es')).toEqual({ locale: 'es', reason: 'language' });
    expect(matchLocale(['es-MX'], LOCALES, () => false)).toBeNull();
  });
});

describe('a list of tags', () => {
  it('is tried to its end, each tag in all its kinds before the next', () => {
    expect(matchLocale(['nb', 'sv-SE', 'pt-PT', 'en'], LOCALES)?.locale).toBe('pt-BR');
    expect(matchLocale(['nb', null, undefined, 'nn'], LOCALES)).toBeNull();
    expect(matchLocale([], LOCALES)).toBeNull();
  });
});

describe('what a browser accepts', () => {
  const accepted = (header?: string) =>
    acceptedLanguages({ headers: { 'accept-language': header } } as unknown as FastifyRequest);

  it.each([
    ['nb-NO,nb;q=0.9,de;q=0.8,en;q=0.7', ['nb-NO', 'nb', 'de', 'en']],
    ['en;q=0.5, zh-TW', ['zh-TW', 'en']],
    ['en;q=0, id;q=0.1', ['id']],
    ['*', []],
    ['*;q=0.1, ja', ['ja']],
    ['../id, <b>, id', ['id']],
    ['', []],
    [undefined, []],
  ])('%j is %j', (header, tags) => expect(accepted(header)).toEqual(tags));

  it('is no more than a person reads', () =>
    expect(accepted(Array.from({ length: 5000 }, () => 'aa').join()).length).toBeLessThan(50));
});
