import { styleText } from 'node:util';
import type { Forecast, ForecastMail } from './intake/dry-run.js';
import type { Untold } from './intake/event.entity.js';
import type { IgnoredReason } from './intake/sources/adapter.js';

const IGNORED: Record<IgnoredReason, string> = {
  'unknown-type': 'its type is none that Postern knows',
  internal: 'the message is not marked as public',
  'no-address': 'there is nobody with an address',
  'nothing-new': 'it changes nothing that people are told of',
};

const UNTOLD: Record<Untold, string> = {
  'silent-type': 'its type mails nobody',
  'no-new-message': 'its message, or that there is the ticket, was told before; or it is internal, or was taken back',
  superseded: 'something newer is known of the ticket',
  'same-status': 'the status is the one from before',
  'own-words': 'the only one to tell wrote it',
  'no-mails-wanted': 'everybody on the ticket stopped these mails',
  'unknown-ticket': 'nothing in it says that the ticket is public, and nobody knew it',
  'deleted-ticket': 'the ticket was deleted',
  internal: 'its source says that it is internal',
  'no-address': 'its source names nobody who could be mailed',
  'look-up-failed': 'its source did not say whom it concerns',
  erased: 'whom it concerns was erased',
};

/** What a webhook would do, for a person at a terminal of so many columns. Without `colour` it is plain text. */
export function forecastText(
  forecasts: readonly Forecast[],
  { colour, columns }: { colour: boolean; columns: number },
): string {
  // Some terminals say 0 for what they do not know.
  const width = Math.min(columns || 80, 100);
  const paint = (format: Parameters<typeof styleText>[0], text: string) => (colour ? styleText(format, text) : text);
  return `${forecasts.map((one) => forecast(one).join('\n')).join('\n\n')}\n`;

  function forecast(one: Forecast): string[] {
    if ('ignored' in one) return [paint('yellow', `Ignored (${one.ignored}): ${IGNORED[one.ignored]}.`)];
    if ('lookUp' in one)
      return [paint('yellow', `The source's API did not say what is missing (${one.lookUp}): ${seen(one.detail)}`)];
    const { type, data } = one.event as { type: string; data: { ticket: { number: string; status: string } } };
    const { number, status } = data.ticket;
    return [
      `${paint('bold', type)}  ticket ${seen(number)}, ${status}`,
      ...(one.duplicate ? [paint('yellow', 'It is known already.')] : []),
      ...(one.mails.length === 0 ? [nobody(one.untold)] : one.mails.flatMap(mail)),
    ];
  }

  function nobody(why: Untold | null): string {
    return paint('yellow', why === null ? 'Nobody is mailed.' : `Nobody is mailed (${why}): ${UNTOLD[why]}.`);
  }

  function mail(one: ForecastMail): string[] {
    const about = `${one.channel}, ${one.locale} (${one.localeReason}), ${one.templateKey} ${one.templateRevision}`;
    return [
      '',
      `${paint('cyan', one.recipient)}  ${paint('dim', about)}`,
      ...(one.suppressed === null ? [] : [paint('yellow', `  nothing is sent to it: ${one.suppressed}`)]),
      `  ${paint('bold', seen(one.subject))}`,
      ...seen(one.text)
        .trimEnd()
        .split('\n')
        .flatMap((line) => wrapped(line, width - '  │ '.length))
        .map((line) => paint('dim', '  │ ') + line),
    ];
  }
}

/** Lines of whole words; a word that is longer stands alone. */
function wrapped(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!;
    if (last !== '' && last.length + word.length >= width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

/** Without what would steer the terminal: the words come from outside. */
function seen(text: string): string {
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '');
}
