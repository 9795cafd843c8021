/** What the values in the words mean, for those who translate. */
import { argumentUses } from '../portal/sentences.js';
import { describeWords } from '../templates/mustache.js';
import type { Unit } from './units.js';

const MAIL_VALUES: Readonly<Record<string, string>> = {
  ticketNumber: 'the ticket’s number, like 12345',
  greetingName: 'the reader’s name, like Siti; it may be missing',
  occurredAt: 'date and time in the reader’s language',
  'brand.name': 'the support team’s name, like Acme Support',
  checkUrl: 'address of the page that checks an email',
  checkReference: 'the email’s reference, like 7QK3-M8WD-2XHVA',
  guest: 'true if the reader has no account',
  canReply: 'true if the ticket still takes replies',
  updateCount: 'how many updates, like 3; # stands for it',
  reference: 'the same sign on the page and in the email, like K7QD',
  codeMinutes: 'how many minutes the code works, like 10; # stands for it',
};

export const sentenceValues: Readonly<Record<string, string>> = {
  address: 'the reader’s masked address, like s***i@e***.com',
  alive: '1 if a code still works, else 0: never shown',
  brand: 'the support team’s name, like Acme Support',
  clock: 'a time of day, like 14:05',
  count: 'how many, like 3; # stands for it',
  day: 'a day, like today or 12 Nov',
  each: 'the most one file may have, like 10 MB',
  errorId: 'a number that support can look up',
  hours: 'hours to wait, never 1; 0 where minutes say it',
  kinds: 'kinds of files, like PDF and PNG',
  max: 'the most characters, like 20,000',
  minutes: 'minutes to wait, like 5; # stands for it',
  name: 'a file’s name, like photo.png',
  number: 'the ticket’s number, like 12345',
  percent: 'how much was sent, like 40',
  reference: 'the same sign on the page and in the email, like K7QD',
  seconds: 'seconds to wait, like 30; # stands for it',
  size: 'a size, like 2.4 MB',
  subject: 'the ticket’s subject',
  time: 'minutes and seconds, like 4:59',
  title: 'the page’s title',
  total: 'the most all files may have together, like 25 MB',
  tries: 'how many tries are left, like 3; # stands for it',
};

/** One note for each value of a unit. Those without a meaning here are left out. */
export function notesOf({ text, format }: Pick<Unit, 'text' | 'format'>): { about: string; text: string }[] {
  const [names, meanings] =
    format === 'icu'
      ? [[...argumentUses(text).keys()], sentenceValues]
      : [[...describeWords(text).names].map((name) => name.replace(/[{}]/g, '')), MAIL_VALUES];
  return names.flatMap((name) => (meanings[name] === undefined ? [] : [{ about: name, text: meanings[name] }]));
}
