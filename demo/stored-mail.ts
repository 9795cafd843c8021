import { randomUUID } from 'node:crypto';
import { simpleParser, type ParsedMail } from 'mailparser';

/** Who a mail is from and for as said in SMTP, which is what counts for delivery; `from` is empty for a bounce. */
export interface Envelope {
  from: string;
  to: string[];
}

/** A mail as it arrived and as a mail program would show it. */
export interface StoredMail extends Envelope {
  id: string;
  /** The whole message, headers included, with CRLF line ends. */
  raw: string;
  receivedAt: Date;
  subject: string;
  /** The text/plain part, decoded; empty if there is none. */
  text: string;
  /** The text/html part, decoded; empty if there is none. */
  html: string;
  /** By name in lower case, unfolded and decoded. A repeated header's values are joined by line breaks. */
  headers: Record<string, string>;
  /** All headers in their order and writing, unfolded and decoded. */
  headerLines: { name: string; value: string }[];
  attachments: { name: string; contentType: string; content: Buffer }[];
}

/** Reads a whole message as it came over SMTP (RFC 5322, MIME). */
export async function parseMail(envelope: Envelope, bytes: Buffer): Promise<StoredMail> {
  const parsed = await simpleParser(bytes, { skipHtmlToText: true, skipTextToHtml: true });
  const headerLines = readHeaders(parsed);
  const headers: Record<string, string> = {};
  for (const { name, value } of headerLines) {
    const key = name.toLowerCase();
    headers[key] = headers[key] === undefined ? value : `${headers[key]}\n${value}`;
  }
  return {
    ...envelope,
    id: randomUUID(),
    raw: bytes.toString('utf8'),
    receivedAt: new Date(),
    subject: parsed.subject ?? '',
    text: parsed.text ?? '',
    html: parsed.html || '',
    headers,
    headerLines,
    attachments: parsed.attachments.map(({ filename, contentType, content }) => ({
      name: filename ?? 'attachment',
      contentType,
      content,
    })),
  };
}

function readHeaders(parsed: ParsedMail): StoredMail['headerLines'] {
  return parsed.headerLines.map(({ key, line }) => {
    const colon = line.indexOf(':');
    const raw = line
      .slice(colon + 1)
      .replace(/\r?\n(?=[ \t])/g, '')
      .trim();
    return { name: line.slice(0, colon).trim(), value: raw.includes('=?') ? (decoded(parsed, key) ?? raw) : raw };
  });
}

/** What the parser made of a header with encoded words (RFC 2047), where that is a text or an address. */
function decoded(parsed: ParsedMail, key: string): string | undefined {
  const value = parsed.headers.get(key);
  if (typeof value === 'string') return value;
  if (value && 'text' in value && typeof value.text === 'string') return value.text;
  return undefined;
}
