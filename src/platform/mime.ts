/**
 * How text travels in a mail: quoted-printable and base64 bodies (RFC 2045 6.7, 6.8), encoded words (RFC 2047), header
 * fields (RFC 5322 2.2). All of it is ASCII with lines ended by CRLF. Every encoder takes any string: a lone surrogate
 * becomes U+FFFD, as UTF-8 has it.
 */

/** Change it whenever an encoder here writes other bytes for the same text: what was rendered before knows its own. */
export const ENCODER_VERSION = 1;

const CRLF = '\r\n';
const SOFT_BREAK = '=\r\n';
/** A line holds 76 signs (RFC 2045 6.7 (5)); the last is the `=` of a soft break. */
const MAX_LINE = 75;
/** A line that may stay as it is: short, no `=`, no space at its end, no dot for SMTP or "From " for mailboxes in front. */
const PLAIN_LINE = /^(?!\.|From )[ -<>-~]{0,74}[!-<>-~]$/;

// Each byte as `=XX`; and each ASCII sign as a body may hold it.
const ESCAPED = Array.from({ length: 256 }, (_, byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`);
const SIGNS = ESCAPED.slice(0, 128).map((escaped, code) => {
  const sign = String.fromCharCode(code);
  return /[ -<>-~\t]/.test(sign) ? sign : escaped;
});

/** `text` in quoted-printable; its line ends, LF or CRLF, become CRLF. */
export function quotedPrintable(text: string): string {
  if (PLAIN_LINE.test(text)) return text;
  const lines = text.split('\n');
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!;
    if (line === '' || PLAIN_LINE.test(line)) continue;
    const isEnded = index < lines.length - 1;
    lines[index] = encodeLine(isEnded && line.endsWith('\r') ? line.slice(0, -1) : line);
  }
  return lines.join(CRLF);
}

function encodeLine(line: string): string {
  let encoded = '';
  let column = 0;
  for (let at = 0; at < line.length;) {
    // Most of a line stands as it is: taken by the run, not by the sign.
    const end = column === 0 ? at : endOfRun(line, at, MAX_LINE - column);
    if (end > at) {
      encoded += line.slice(at, end);
      column += end - at;
      at = end;
      continue;
    }
    let unit = unitAt(line, at, column);
    if (column + unit.length > MAX_LINE) {
      encoded += SOFT_BREAK;
      column = 0;
      unit = unitAt(line, at, column);
    }
    encoded += unit;
    column += unit.length;
    at += line.codePointAt(at)! > 0xffff ? 2 : 1;
  }
  return encoded;
}

/** Where signs end that need no escape, at most `room` of them; the line's last sign is not among them. */
function endOfRun(line: string, at: number, room: number): number {
  const limit = Math.min(line.length - 1, at + room);
  let end = at;
  while (end < limit) {
    const code = line.charCodeAt(end);
    if (code < 32 || code > 126 || code === 61) break;
    end++;
  }
  return end;
}

/** One sign of a line as it stands there in the encoded one. */
function unitAt(line: string, at: number, column: number): string {
  const code = line.codePointAt(at)!;
  if (code > 127) return escapeSign(code);
  const isLastSpace = at === line.length - 1 && (code === 32 || code === 9);
  // SMTP doubles a dot at a line's beginning, mailboxes of old change "From ": not every reader undoes it (RFC 2049 3).
  const isRisky = column === 0 && (code === 46 || (code === 70 && line.startsWith('From ', at)));
  return isLastSpace || isRisky ? ESCAPED[code]! : SIGNS[code]!;
}

/** The bytes of one sign beyond ASCII, kept together: no line breaks inside of it. */
function escapeSign(code: number): string {
  if (code < 0x800) return ESCAPED[0xc0 | (code >> 6)]! + tail(code, 0);
  if (code > 0xffff) return ESCAPED[0xf0 | (code >> 18)]! + tail(code, 12) + tail(code, 6) + tail(code, 0);
  const whole = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
  return ESCAPED[0xe0 | (whole >> 12)]! + tail(whole, 6) + tail(whole, 0);
}

function tail(code: number, shift: number): string {
  return ESCAPED[0x80 | ((code >> shift) & 0x3f)]!;
}

/**
 * `text` in quoted-printable as a piece of a longer one: it begins at a line's beginning and leaves the next piece
 * there, by a soft break that a reader takes out. So pieces encoded apart may follow one another in any order.
 */
export function quotedPrintablePiece(text: string): string {
  if (text === '') return '';
  const encoded = quotedPrintable(text);
  return text.endsWith('\n') ? encoded : encoded + SOFT_BREAK;
}

/** `text` in base64, its line ends made CRLF (RFC 2045 6.8: canonical form first). */
function base64Body(text: string): string {
  const canonical = text.replace(/\r?\n/g, CRLF);
  return Buffer.from(canonical, 'utf8')
    .toString('base64')
    .replace(/.{76}(?!$)/g, `$&${CRLF}`);
}

export type TextEncoding = 'quoted-printable' | 'base64';

/** The shorter encoding: base64 for most that is not written in Latin letters, three times as long otherwise. */
export function shorterEncoding(text: string): TextEncoding {
  return base64Body(text).length < quotedPrintable(text).length ? 'base64' : 'quoted-printable';
}

/** Text of a body part in `encoding`. */
export function encodeBody(text: string, encoding: TextEncoding): string {
  return encoding === 'base64' ? base64Body(text) : quotedPrintable(text);
}

/** Lines of a header (RFC 5322 2.1.1, RFC 2047 2). */
const MAX_HEADER_LINE = 76;
/** Words that may stand in a header as they are, and be folded between them. */
const PLAIN_WORDS = /^[!-~]{1,60}(?: [!-~]{1,60})*$/;
const FOLD = '\r\n ';
/** Of UTF-8 in one encoded word: 39 bytes are 52 signs of base64, with `=?utf-8?B?`, `?=` and `Subject: ` 73. */
const WORD_BYTES = 39;

/**
 * Unstructured text or a phrase as a header may hold it: plain words, else encoded ones, folded.
 * @param column where it begins: the length of `Subject: `
 */
export function headerText(text: string, column: number): string {
  if (!PLAIN_WORDS.test(text) || text.includes('=?')) return encodedWords(text);
  if (column + text.length <= MAX_HEADER_LINE) return text;
  let length = column;
  let folded = '';
  for (const word of text.split(' ')) {
    const isFirst = folded === '';
    if (!isFirst && length + 1 + word.length > MAX_HEADER_LINE) {
      folded += FOLD + word;
      length = 1 + word.length;
    } else {
      folded += isFirst ? word : ` ${word}`;
      length += word.length + (isFirst ? 0 : 1);
    }
  }
  return folded;
}

/** RFC 2047 2: lines of at most 76 signs, no sign of the text split between two; readers drop the space between them. */
function encodedWords(text: string): string {
  const words: string[] = [];
  let part = '';
  let bytes = 0;
  for (const sign of text) {
    const size = Buffer.byteLength(sign);
    if (bytes + size > WORD_BYTES) {
      words.push(part);
      part = '';
      bytes = 0;
    }
    part += sign;
    bytes += size;
  }
  if (part !== '') words.push(part);
  return words.map((word) => `=?utf-8?B?${Buffer.from(word, 'utf8').toString('base64')}?=`).join(FOLD);
}

/** A mailbox of one address (RFC 5322 3.4), its name plain, quoted or in encoded words. */
export function headerMailbox({ name, address }: { name: string; address: string }): string {
  if (name === '') return headerAddress(address);
  const isPlain = /^[A-Za-z0-9' -]*$/.test(name) || !PLAIN_WORDS.test(name) || name.includes('=?');
  const phrase = isPlain ? headerText(name, 'From: '.length) : `"${name.replace(/["\\]/g, '\\$&')}"`;
  return `${phrase}${phrase.length + address.length > 60 ? FOLD : ' '}<${headerAddress(address)}>`;
}

/** A dot-atom and a host name, as `parseAddress` returns them. Nothing else gets into a header as an address. */
const ADDRESS = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}$/;

/** @throws TypeError for what is not one address: such a row was not written by us */
export function headerAddress(address: string): string {
  if (!ADDRESS.test(address)) throw new TypeError('not one e-mail address in ASCII');
  return address;
}

/** Nothing but printable ASCII, and line ends that a folded line follows. */
const FIELD_BODY = /^(?:[ -~]|\r\n [!-~])*$/;

/**
 * One header field with its line end: the gate that every value passes, whatever encoded it.
 * @throws TypeError for what could begin another line
 */
export function headerField(name: string, body: string): string {
  if (!FIELD_BODY.test(body)) throw new TypeError(`a value of the header ${name} is not encoded`);
  return `${name}: ${body}${CRLF}`;
}

/** A moment (milliseconds since 1970) as RFC 5322 3.3 writes it. */
export function headerDate(at: number): string {
  return new Date(at).toUTCString().replace('GMT', '+0000');
}
