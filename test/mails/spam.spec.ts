import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShells } from '../support/shells.js';
import { addressFor, type RawMail, rawMails } from './raw.js';
import { openCatalogue } from './variants.js';
import { someLocales } from '../support/some-locales.js';

const SPAMASSASSIN = '/usr/bin/spamassassin';
/** Five is spam as SpamAssassin comes. */
const HIGHEST = 1;
// Its own rules alone: nothing that was learnt on this machine, nothing that asks the network.
const PREFERENCES = 'use_bayes 0\nuse_txrep 0\nuse_auto_welcomelist 0\nrequired_score 5\n';

const workspace = mkdtempSync(join(tmpdir(), 'postern-spam-'));
afterAll(() => rmSync(workspace, { recursive: true }));

(existsSync(SPAMASSASSIN) ? describe : describe.skip)('SpamAssassin', () => {
  it('gives every mail in every language a point at most', async () => {
    const shellsDir = join(workspace, 'shells');
    await writeShells(shellsDir);
    const catalogue = openCatalogue({ shellsDir });
    const mails = someLocales(catalogue.availableLocales).flatMap((locale) => rawMails(catalogue, locale));
    const scores = judge(mails);
    expect([...scores.keys()].sort()).toEqual(mails.map(({ key, locale }) => addressFor(key, locale)).sort());
    expect([...scores].filter(([, { score }]) => !(score <= HIGHEST))).toEqual([]);
  });
});

/** All mails by one call, as they would lie in a mailbox. */
function judge(mails: readonly RawMail[]): Map<string, { score: number; rules: string }> {
  const mailbox = join(workspace, 'mailbox');
  const asStored = mails.map(
    ({ mime }) =>
      `From no-reply@support.example Mon Nov 23 02:15:01 2026\n${mime.toString('latin1').replaceAll('\r\n', '\n')}\n`,
  );
  writeFileSync(mailbox, asStored.join(''), 'latin1');
  const preferences = join(workspace, 'preferences');
  writeFileSync(preferences, PREFERENCES);
  const { stdout, stderr } = spawnSync(
    SPAMASSASSIN,
    ['--local', '--nocreate-prefs', '--prefs-file', preferences, '--mbox', mailbox],
    { encoding: 'latin1', env: { ...process.env, HOME: workspace }, maxBuffer: 2 ** 28 },
  );
  // It may judge them in another order.
  const judged = stdout.split(/^(?=From no-reply@support\.example )/m).filter(Boolean);
  if (judged.length !== mails.length) throw new Error(`SpamAssassin judged ${judged.length} mails: ${stderr}`);
  return new Map(
    judged.map((mail) => {
      const [, recipient = ''] = /^To: (.*)$/m.exec(mail) ?? [];
      const status = (/^X-Spam-Status: .*(?:\n[ \t].*)*/m.exec(mail)?.[0] ?? '').replace(/\n[ \t]+/g, ' ');
      const [, score = 'NaN', rules = status] =
        /score=(-?[\d.]+) .*tests=(.*?) (?:autolearn|version)/.exec(status) ?? [];
      return [recipient, { score: Number(score), rules }];
    }),
  );
}
