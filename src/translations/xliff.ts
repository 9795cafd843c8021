/** XLIFF 2.1 (OASIS, 2018): what translators' programs read and write. One file per locale, over mails and pages. */
import { SaxesParser, type SaxesTagNS } from 'saxes';
import { states, type State } from './lock.js';
import { piecesOf } from './placeholders.js';
import type { Unit } from './units.js';

const NAMESPACE = 'urn:oasis:names:tc:xliff:document:2.0'; // That of all versions 2.x.
const LARGEST_FILE = 8 * 1024 * 1024;
const DEEPEST = 64;

export interface ExportedUnit {
  source: Unit;
  target: Unit | null;
  state: State;
  notes: readonly { about: string; text: string }[];
}

export interface ImportedUnit {
  id: string;
  /** In the XLIFF file, from 1. */
  line: number;
  source: string;
  /** null where there is none. */
  target: string | null;
  state: State;
}

/** Units in the order given; those of one file should stand together. */
export function writeXliff(sourceLocale: string, locale: string, units: readonly ExportedUnit[]): string {
  const files = new Map<string, ExportedUnit[]>();
  for (const unit of units) {
    const [file = ''] = unit.source.id.split('/');
    files.set(file, [...(files.get(file) ?? []), unit]);
  }
  const body = [...files].map(
    ([file, own]) =>
      `  <file id="${escaped(file)}" original="${escaped(own[0]!.source.file)}">\n${own.map(unitElement).join('')}  </file>\n`,
  );
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n` +
    `<xliff xmlns="${NAMESPACE}" version="2.1" srcLang="${escaped(sourceLocale)}" trgLang="${escaped(locale)}" xml:space="preserve">\n` +
    `${body.join('')}</xliff>\n`
  );
}

function unitElement({ source, target, state, notes }: ExportedUnit): string {
  const name = source.id.slice(source.id.indexOf('/') + 1);
  const codes = new Codes();
  const sourceContent = codes.content(source);
  const targetContent = target && codes.content(target);
  const noteElements = notes.map(({ about, text }) => `<note category="${escaped(about)}">${content(text)}</note>`);
  return [
    `    <unit id="${escaped(name)}" name="${escaped(source.id)}"${codes.count ? ' canResegment="no"' : ''}>\n`,
    noteElements.length ? `      <notes>${noteElements.join('')}</notes>\n` : '',
    codes.count ? `      <originalData>${codes.dataElements()}</originalData>\n` : '',
    `      <segment state="${state}">\n        <source>${sourceContent}</source>\n`,
    targetContent === null ? '' : `        <target>${targetContent}</target>\n`,
    `      </segment>\n    </unit>\n`,
  ].join('');
}

/** The inline codes of one unit: what stands for the same text in source and target has the same id. */
class Codes {
  private readonly data: string[] = [];
  private readonly ids = new Map<string, string[]>();

  get count(): number {
    return this.data.length;
  }

  content(unit: Pick<Unit, 'text' | 'format'>): string {
    const used = new Map<string, number>();
    const pieces = piecesOf(unit);
    return pieces
      .map(({ kind, text }, at) => {
        if (kind === 'text') return content(text);
        if (kind === 'close') return '</pc>';
        const fixed = 'canCopy="no" canDelete="no"';
        if (kind === 'placeholder')
          return `<ph id="${this.id(text, used)}" dataRef="${this.ref(text)}" ${fixed} disp="${escaped(text)}"/>`;
        const end = endOf(pieces, at);
        const pair = `${text} ${end}`;
        return `<pc id="${this.id(pair, used)}" dataRefStart="${this.ref(text)}" dataRefEnd="${this.ref(end)}" ${fixed} dispStart="${escaped(text)}" dispEnd="${escaped(end)}">`;
      })
      .join('');
  }

  dataElements(): string {
    return this.data.map((text, at) => `<data id="d${at + 1}">${content(text)}</data>`).join('');
  }

  private ref(text: string): string {
    const known = this.data.indexOf(text);
    return `d${known === -1 ? this.data.push(text) : known + 1}`;
  }

  private id(text: string, used: Map<string, number>): string {
    const nth = used.get(text) ?? 0;
    used.set(text, nth + 1);
    const ids = this.ids.get(text) ?? [];
    this.ids.set(text, ids);
    const all = [...this.ids.values()].reduce((sum, each) => sum + each.length, 0);
    return (ids[nth] ??= String(all + 1));
  }
}

/** What closes the pair that opens at `at`. */
function endOf(pieces: ReturnType<typeof piecesOf>, at: number): string {
  let depth = 0;
  for (const { kind, text } of pieces.slice(at)) {
    if (kind === 'open') depth++;
    if (kind === 'close' && --depth === 0) return text;
  }
  throw new Error('a pair without its end');
}

// XML 1.0 has no way to write these, not even by number; XLIFF has an element for them.
const NO_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

function content(text: string): string {
  return text
    .replace(/[&<>\r]/g, (sign) => `&#${sign.charCodeAt(0)};`)
    .replace(NO_XML, (sign) => `<cp hex="${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}"/>`);
}

function escaped(text: string): string {
  return text.replace(/[&<>"\t\n\r]/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(NO_XML, '\ufffd');
}

/** An XLIFF file that cannot be used at all. */
export class XliffError extends Error {}

/**
 * Reads an XLIFF file. Nothing in it is resolved: no document type, no entities but XML's own five.
 * @throws XliffError with the line, if it is too large, no XML, or not XLIFF 2
 */
export function readXliff(text: string): { locale: string; units: ImportedUnit[] } {
  if (text.length > LARGEST_FILE) throw new XliffError(`is too large: ${LARGEST_FILE / 1024 / 1024} MiB are the most`);
  return new XliffReader().read(text);
}

interface Open {
  name: string;
  attributes: Record<string, string>;
}

function codePoint(hex: string): string {
  return /^[0-9A-Fa-f]{1,5}$/.test(hex) ? String.fromCodePoint(Number.parseInt(hex, 16)) : '\ufffd';
}

class XliffReader {
  private readonly parser = new SaxesParser({ xmlns: true, position: true });
  private readonly open: Open[] = [];
  private readonly units: ImportedUnit[] = [];
  private locale = '';
  private file = '';
  /** The unit that is being read. */
  private unit: ImportedUnit | null = null;
  private data = new Map<string, string>();
  /** What the source's codes stand for: programs may leave the reference out in the target. */
  private codes = new Map<string, string>();
  private segment: { source: string; target: string | null; isIgnorable: boolean } | null = null;
  private readonly failure: { error: XliffError | null } = { error: null };

  read(text: string): { locale: string; units: ImportedUnit[] } {
    const { parser } = this;
    parser.on('doctype', () => this.fail('has a document type, which XLIFF never has: take it out'));
    parser.on('processinginstruction', () => this.fail('has a processing instruction, which is not read: take it out'));
    parser.on('error', (error) => this.fail(`is not XML: ${error.message.replace(/^[\d:]+\s*/, '')}`));
    parser.on('opentag', (tag) => this.start(tag));
    parser.on('closetag', () => this.end());
    parser.on('text', (piece) => this.write(piece));
    parser.on('cdata', (piece) => this.write(piece));
    parser.write(text.replace(/^\ufeff/, ''));
    if (!this.failure.error) parser.close();
    if (this.failure.error) throw this.failure.error;
    if (!this.locale) throw new XliffError('is not XLIFF 2 with a target language (trgLang)');
    return { locale: this.locale, units: this.units };
  }

  /** The first reason counts; what comes after it is not looked at. */
  private fail(message: string): void {
    this.failure.error ??= new XliffError(`line ${this.parser.line}: ${message}`);
  }

  private start({ local, uri, attributes }: SaxesTagNS): void {
    if (this.failure.error) return;
    if (this.open.length >= DEEPEST) return this.fail(`is nested deeper than ${DEEPEST} elements`);
    const own = Object.fromEntries(Object.values(attributes).map(({ name, value }) => [name, value]));
    // Modules and extensions bring elements of their own; none of them is ours.
    const name = uri === NAMESPACE ? local : `{${uri}}${local}`;
    if (this.open.length === 0) this.root(name, own);
    this.open.push({ name, attributes: own });
    if (name === 'file') this.file = own['id'] ?? '';
    else if (name === 'unit') this.startUnit(own['id'] ?? '');
    else if (name === 'data') this.data.set(own['id'] ?? '', '');
    else if (name === 'segment' || name === 'ignorable') this.startSegment(name, own['state']);
    else if (name === 'target' && this.segment) this.segment.target = '';
    else if (name === 'cp') this.write(codePoint(own['hex'] ?? ''));
    else if (name === 'ph' || name === 'pc' || name === 'sc' || name === 'ec') this.code(name, own);
  }

  private end(): void {
    if (this.failure.error) return;
    const { name, attributes } = this.open.pop()!;
    if (name === 'pc') this.write(this.codeText(`${attributes['id']} end`, attributes['dataRefEnd']));
    if ((name === 'segment' || name === 'ignorable') && this.segment && this.unit) {
      const { source, target, isIgnorable } = this.segment;
      this.unit.source += source;
      if (target !== null) this.unit.target = (this.unit.target ?? '') + target;
      else if (isIgnorable && this.unit.target !== null) this.unit.target += source;
      this.segment = null;
    }
    if (name === 'unit' && this.unit) {
      this.units.push(this.unit);
      this.unit = null;
    }
  }

  private root(name: string, attributes: Record<string, string>): void {
    if (name !== 'xliff' || !/^2\./.test(attributes['version'] ?? '')) return this.fail('is not XLIFF 2');
    this.locale = attributes['trgLang'] ?? '';
  }

  private startUnit(name: string): void {
    this.unit = {
      id: `${this.file}/${name}`,
      line: this.parser.line,
      source: '',
      target: null,
      state: 'final',
    };
    this.data = new Map();
    this.codes = new Map();
  }

  private startSegment(name: string, state: string | undefined): void {
    this.segment = { source: '', target: null, isIgnorable: name === 'ignorable' };
    if (!this.unit || name === 'ignorable') return;
    // Without a state it is `initial` (XLIFF 2.1, 4.3.1.24); of several segments the least finished counts.
    const own = states.find((each) => each === state) ?? 'initial';
    if (states.indexOf(own) < states.indexOf(this.unit.state)) this.unit.state = own;
  }

  private code(name: string, attributes: Record<string, string>): void {
    const id = attributes['id'] ?? attributes['startRef'] ?? '';
    if (name === 'pc') this.write(this.codeText(`${id} start`, attributes['dataRefStart']));
    else if (name === 'sc') this.write(this.codeText(`${id} start`, attributes['dataRef']));
    else if (name === 'ec') this.write(this.codeText(`${attributes['startRef'] ?? id} end`, attributes['dataRef']));
    else this.write(this.codeText(id, attributes['dataRef']));
    if (name === 'pc') this.codes.set(`${id} end`, this.data.get(attributes['dataRefEnd'] ?? '') ?? '');
  }

  private codeText(id: string, dataRef: string | undefined): string {
    const text = this.data.get(dataRef ?? '') ?? this.codes.get(id) ?? '';
    if (text) this.codes.set(id, text);
    return text;
  }

  private write(text: string): void {
    const places = this.open.map(({ name }) => name);
    if (places.at(-1) === 'data' || (places.at(-1) === 'cp' && places.includes('data'))) {
      const id = this.open.findLast(({ name }) => name === 'data')!.attributes['id'] ?? '';
      this.data.set(id, (this.data.get(id) ?? '') + text);
    } else if (!this.segment) return;
    else if (places.includes('target')) this.segment.target += text;
    else if (places.includes('source')) this.segment.source += text;
  }
}
