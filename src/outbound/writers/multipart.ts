import { randomBytes } from 'node:crypto';
import type { Raw } from '../ticket-api.js';

export type Part = { name: string; value: string } | { name: string; fileName: string; type: string; content: Buffer };

/** A form with files (RFC 7578). A boundary of 24 random bytes is in none of them. */
export function multipart(parts: readonly Part[]): Pick<Raw, 'contentType' | 'content'> {
  const boundary = `postern-${randomBytes(24).toString('hex')}`;
  const pieces = parts.flatMap((part) => {
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="${part.name}"`;
    if ('value' in part) return [Buffer.from(`${head}\r\n\r\n${part.value}\r\n`)];
    const name = encoded(part.fileName);
    return [
      Buffer.from(`${head}; filename="${name}"\r\ncontent-type: ${part.type}\r\n\r\n`),
      part.content,
      Buffer.from('\r\n'),
    ];
  });
  const content = Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]);
  return { contentType: `multipart/form-data; boundary=${boundary}`, content };
}

/** As browsers write it (HTML, "multipart form data"): UTF-8, and the three signs that would end the quotes escaped. */
function encoded(name: string): string {
  return name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}
