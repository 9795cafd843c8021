import type { KeyRing } from '../platform/crypto.js';
import { idBytes, idOfBytes, type Id } from '../ids.js';
import { openToken, signToken } from '../platform/signed-token.js';

const PURPOSE = 'source-file';
const FILE_LINK_LIFETIME_MS = 7 * 86_400_000;

/** The URL by which a source fetches a file of a reply: signed, good for 7 days from `since`, the reply or its replay. */
export function attachmentUrl(keys: KeyRing, publicUrl: string, id: Id<'att'>, since: number): string {
  const payload = Buffer.alloc(20);
  idBytes(id).copy(payload);
  payload.writeUInt32BE(Math.floor((since + FILE_LINK_LIFETIME_MS) / 1000), 16);
  return `${publicUrl}/v1/files/${signToken(keys, PURPOSE, payload)}`;
}

/** The attachment a token stands for, or null if it is forged or too old. */
export function openAttachmentToken(keys: KeyRing, token: string, now: number): Id<'att'> | null {
  const payload = openToken(keys, PURPOSE, token);
  if (payload === null || payload.length !== 20 || payload.readUInt32BE(16) * 1000 <= now) return null;
  return idOfBytes('att', payload.subarray(0, 16));
}
