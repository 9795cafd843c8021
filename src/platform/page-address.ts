import { parseUrl } from './url.js';

/** What stands in the places `{id}` and `{number}` of a page's address. */
export interface PageValues {
  id: string;
  number: string;
}

const PLACE = /\{(id|number)\}/g;
/** What the URL parser makes of a brace in a path. */
const PARSED_PLACE = /%7B(id|number)%7D/g;

/** Nothing that a server between here and the page could read as a step out of its folder, at any depth of encoding. */
const STEP = /(^|[\\/])\.{1,2}([\\/]|$)/;
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
/** How often a server may decode a path by mistake. */
const DECODINGS = 3;

/**
 * The address of a ticket page on another site, as an operator configured it, parsed once. Values from events fill their
 * places and nothing else: scheme, host, port and the path around them stay what was configured.
 */
export class PageAddress {
  readonly origin: string;

  private constructor(private readonly address: URL) {
    this.origin = address.origin;
  }

  /** Reads a template such as `https://help.example/tickets/{number}`, or says what is wrong with it. */
  static read(template: string): { ok: true; page: PageAddress } | { ok: false; problem: string } {
    const fault = (problem: string) => ({ ok: false, problem }) as const;
    // Backslashes and control characters are forgiven by the parser, and read differently by others.
    if (/[\\\s]/.test(template) || CONTROL.test(template)) return fault('must have no spaces and no backslashes');
    const address = /^https?:\/\/[^/]/i.test(template) ? parseUrl(template) : null;
    if (address === null) return fault('must be an http(s) URL');
    if (/[{}]|%7b|%7d/i.test(address.host) || address.host === '') return fault('must name its host outright');
    if (address.username !== '' || address.password !== '') return fault('must have no user or password in it');
    if (template.includes('#')) return fault('must have no #fragment');
    if (/[{}]/.test(template.replace(PLACE, ''))) return fault('may have the places {id} and {number}, no others');
    if (address.searchParams.has('handoff')) return fault('must have no parameter "handoff": it is added');
    return { ok: true, page: new PageAddress(address) };
  }

  /** True for an address by https. */
  get isSecure(): boolean {
    return this.address.protocol === 'https:';
  }

  /**
   * The page of one ticket with this parameter added to its query; null where a value cannot stand in an address without
   * a doubt about where it leads.
   */
  addressFor(values: PageValues, parameter?: { name: string; value: string }): string | null {
    const { origin, pathname, search } = this.address;
    const used = [...`${pathname}${search}`.matchAll(/(?:\{|%7B)(id|number)(?:\}|%7D)/g)].map(([, name]) => name);
    if (!used.every((name) => isPlain(values[name as keyof PageValues]))) return null;
    const put = (_: string, name: keyof PageValues) => encode(values[name]);
    const query = search.replace(PARSED_PLACE, put).replace(PLACE, put);
    const added = parameter ? `${query === '' ? '?' : '&'}${parameter.name}=${encode(parameter.value)}` : '';
    const href = `${origin}${pathname.replace(PARSED_PLACE, put)}${query}${added}`;
    // The second lock: what was put together is read as it was written, or it is not used.
    const read = parseUrl(href);
    return read?.href === href && read.origin === origin && this.hasShapeOf(read) ? href : null;
  }

  private hasShapeOf({ pathname }: URL): boolean {
    return pathname.split('/').length === this.address.pathname.split('/').length;
  }
}

/** The one sign that the parser encodes in a query and `encodeURIComponent` does not. */
function encode(value: string): string {
  return encodeURIComponent(value).replaceAll("'", '%27');
}

function isPlain(value: string): boolean {
  if (value === '' || CONTROL.test(value)) return false;
  let read = value;
  for (let times = 0; times <= DECODINGS; times++) {
    if (STEP.test(read) || CONTROL.test(read)) return false;
    read = decoded(read);
  }
  return isWellFormed(value);
}

function decoded(text: string): string {
  return text.replace(/%[0-9a-f]{2}/gi, (sign) => String.fromCharCode(Number.parseInt(sign.slice(1), 16)));
}

/** Half a pair of surrogates is no text, and no address can hold it. */
function isWellFormed(text: string): boolean {
  return !/[\ud800-\udfff]/.test(text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, ''));
}
