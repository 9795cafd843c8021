import type { StoredMail } from '../../demo/inbox.js';

/** The one ticket link of a mail, as its path. */
export function linkOf(mail: Pick<StoredMail, 'text'>): string {
  const links = new Set(mail.text.match(/https?:\/\/[^\s<>"]+\/t\/[\w.-]+/g));
  if (links.size !== 1) throw new Error(`a ticket mail has one link, this one has ${links.size}:\n${mail.text}`);
  return new URL([...links][0]!).pathname;
}

/** The code of a code mail: the only word of so many digits. */
export function codeOf(mail: StoredMail, digits = 6): string {
  const codes = new Set(mail.text.match(new RegExp(`(?<![\\w-])\\d{${digits}}(?![\\w-])`, 'g')));
  if (codes.size !== 1) throw new Error(`a code mail has one code, this one has ${codes.size}:\n${mail.text}`);
  return [...codes][0]!;
}
