/** Every page of the studio in every state, for pictures and for axe-core. */
import type { Page } from 'playwright-core';
import type { StudioDouble } from './studio-double.js';

export interface StudioScene {
  name: string;
  path: string;
  set?: (double: StudioDouble) => void;
  /** What somebody does there first. */
  act?: (page: Page, double: StudioDouble) => Promise<void>;
}

const place = 'ticket-replied/de';

function withDraft(double: StudioDouble, state: 'draft' | 'submitted' | 'scheduled' = 'draft'): void {
  double.drafts.set(place, {
    text: `---
subject: Neue Antwort auf Ihre Anfrage {{ticketNumber}}
preheader: Unser Team hat geantwortet. Öffnen Sie die Anfrage, um die Antwort zu lesen.
heading: Neue Antwort auf Ihre Anfrage {{ticketNumber}}
button: Antwort lesen
---
{{> greeting}}

Unser Team hat **schnell** auf Ihre Anfrage geantwortet.
`,
    ...{ version: 3, base: 'shipped:1', state, by: 'Jonas Weber', at: new Date(Date.now() - 3_600_000).toISOString() },
    note: 'Shorter and friendlier. Please look at the subject.',
    publishAt: state === 'scheduled' ? new Date(Date.now() + 86_400_000).toISOString() : null,
  });
}

function withHistory(double: StudioDouble): void {
  withDraft(double);
  const { text } = double.drafts.get(place)!;
  double.drafts.clear();
  double.publications.set(place, [
    publication(2, 'publish', text, 'Friendlier, after three guests asked what “Anfrage” is.'),
    publication(1, 'publish', text.replace('**schnell** ', ''), 'One sentence is enough.'),
  ]);
}

function publication(number: number, kind: 'publish', text: string, why: string) {
  const at = new Date(Date.now() - (3 - number) * 86_400_000).toISOString();
  return { publication: `pub_${number}`, revision: `rev_${number}`, kind, at, by: 'Jonas Weber', why, text };
}

function busy(double: StudioDouble): void {
  withDraft(double, 'submitted');
  const draft = double.drafts.get(place)!;
  double.drafts.set('ticket-closed/fr', { ...draft, state: 'draft' });
  double.drafts.set('ticket-created/ja', { ...draft, state: 'scheduled' });
  double.publications.set('access-code/en', [publication(1, 'publish', draft.text, 'Shorter')]);
  double.shippedChanged.add('access-code/en');
  double.alarms = [
    {
      ...{ key: 'ticket-resolved', locale: 'pt-BR', since: new Date(Date.now() - 600_000).toISOString() },
      message: 'cannot be used: there is no value "ticketNumer". Mails use the version before it.',
    },
  ];
}

const editor = `/studio/words/${place}`;
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

export const studioScenes: StudioScene[] = [
  { name: 'board', path: '/studio', set: busy },
  {
    name: 'board-filtered',
    path: '/studio',
    set: busy,
    act: (page) => page.getByRole('button', { name: /Draft/ }).click(),
  },
  {
    name: 'board-nothing',
    path: '/studio',
    act: (page) => page.getByRole('searchbox', { name: 'Language' }).fill('Klingon'),
  },
  { name: 'board-failed', path: '/studio', set: (double) => (double.isCut = true) },
  {
    name: 'xliff',
    path: '/studio',
    act: async (page) => {
      await page.getByRole('button', { name: 'XLIFF of German' }).click();
      await page.locator('input[type=file]').setInputFiles({
        ...{ name: 'de.xlf', mimeType: 'application/xliff+xml', buffer: Buffer.from('<xliff/>') },
      });
      await press(page, 'Upload');
      await page.getByText('1 refused').waitFor();
    },
  },
  {
    name: 'palette',
    path: '/studio',
    act: async (page) => {
      await page.keyboard.press('Control+k');
      await page.keyboard.type('antwort');
      await page.getByRole('option').first().waitFor();
    },
  },
  { name: 'editor', path: editor, set: withDraft, act: shown },
  {
    name: 'editor-problem',
    path: editor,
    set: withDraft,
    act: async (page) => {
      await shown(page);
      await page.getByRole('textbox', { name: /Support replied in/ }).click();
      await page.keyboard.press('Control+End');
      await page.keyboard.type('{{ticketNumer');
      await page.keyboard.press('Escape');
      await page.getByText('1 problem').waitFor();
    },
  },
  {
    name: 'editor-completion',
    path: editor,
    act: async (page) => {
      await shown(page);
      await page.getByRole('textbox', { name: /Support replied in/ }).click();
      await page.keyboard.press('Control+End');
      await page.keyboard.type('{{tick');
      await page.getByRole('listbox').waitFor();
    },
  },
  {
    name: 'editor-refused',
    path: editor,
    act: async (page) => {
      await shown(page);
      await page.getByRole('textbox', { name: /Support replied in/ }).click();
      await page.keyboard.press('Control+End');
      await page.keyboard.type('{{{ticketNumber}}}');
      await page.getByText('Kept in this browser until').waitFor();
    },
  },
  {
    name: 'editor-lost',
    path: editor,
    act: async (page) => {
      await shown(page);
      await page.getByRole('textbox', { name: /Support replied in/ }).click();
      await page.keyboard.press('Control+a');
      await page.keyboard.press('Delete');
      await page.keyboard.insertText('---\nsubject:\npreheader: a\nheading: b\n---\n{{> greeting}}\n');
      await page.getByRole('button', { name: 'put “Antwort lesen” back' }).waitFor();
    },
  },
  { name: 'editor-guide', path: editor, act: guide },
  { name: 'editor-guide-pages', path: '/studio/words/pages/de', act: guide },
  { name: 'editor-find', path: editor, act: (page) => press(page, 'Find') },
  {
    name: 'editor-rtl',
    path: editor,
    act: async (page) => {
      await shown(page);
      await press(page, 'RTL');
      await page.frameLocator('.frame:not(.frame--behind)').locator('div[dir=rtl]').waitFor();
    },
  },
  { name: 'editor-arabic', path: '/studio/words/ticket-replied/ar', act: shown },
  { name: 'editor-pages', path: '/studio/words/pages/en', act: shown },
  { name: 'editor-submitted', path: editor, set: (double) => withDraft(double, 'submitted'), act: shown },
  { name: 'editor-scheduled', path: editor, set: (double) => withDraft(double, 'scheduled'), act: shown },
  {
    name: 'editor-dark-text',
    path: editor,
    act: async (page) => {
      await shown(page);
      await press(page, 'Text');
    },
  },
  {
    name: 'editor-desktop-dark',
    path: editor,
    act: async (page) => {
      await shown(page);
      await press(page, 'Desktop');
      await press(page, 'Dark');
    },
  },
  { name: 'insert-variable', path: editor, act: (page) => press(page, '+ Variable') },
  { name: 'insert-plural', path: '/studio/words/ticket-replied/ru', act: (page) => press(page, '+ Plural') },
  {
    name: 'publish',
    path: editor,
    set: withDraft,
    act: async (page) => {
      await press(page, 'Publish…');
      await page.getByLabel('Later, at a time of your own').check();
      await press(page, 'Schedule');
      await page.getByText('Say in a few words why.').waitFor();
    },
  },
  {
    name: 'conflict',
    path: editor,
    set: withDraft,
    act: async (page, double) => {
      await shown(page);
      const draft = double.drafts.get(place)!;
      double.drafts.set(place, { ...draft, version: 4, text: draft.text.replace('geantwortet', 'reagiert') });
      await page.getByRole('textbox', { name: /Support replied in/ }).click();
      await page.keyboard.press('Control+End');
      await page.keyboard.type('Viele Grüße');
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'three-way',
    path: editor,
    set: (double) => {
      withDraft(double);
      double.shippedChanged.add(place);
    },
    act: async (page) => {
      await press(page, 'Compare and merge');
      await page.getByText('Both together').waitFor();
    },
  },
  {
    name: 'editor-offline',
    path: editor,
    set: withDraft,
    act: async (page, double) => {
      await shown(page);
      double.isCut = true;
      await page.getByRole('textbox', { name: /Support replied in/ }).click();
      await page.keyboard.press('Control+End');
      await page.keyboard.type('Viele Grüße');
      await page.getByText('Kept in this browser').waitFor();
    },
  },
  {
    name: 'matrix',
    path: '/studio/matrix/ticket-replied',
    act: (page) => page.locator('.matrix pre').last().waitFor(),
  },
  {
    name: 'history',
    path: `/studio/history/${place}`,
    set: withHistory,
    act: (page) => page.locator('.diff').waitFor(),
  },
  { name: 'history-empty', path: `/studio/history/${place}` },
  { name: 'reviews', path: '/studio/reviews', set: busy, act: (page) => page.locator('.diff').waitFor() },
  { name: 'reviews-empty', path: '/studio/reviews' },
  { name: 'people', path: '/studio/people' },
  { name: 'account', path: '/studio/account' },
  { name: 'brands', path: '/studio/brands', act: (page) => page.locator('.across [data-shows]').nth(1).waitFor() },
  {
    name: 'brands-unreadable',
    path: '/studio/brands',
    act: (page) => page.getByLabel('Quiet text', { exact: true }).fill('#c0c6cc'),
  },
  {
    name: 'brands-changed',
    path: '/studio/brands',
    act: async (page) => {
      await page.getByLabel('Name', { exact: true }).fill('Acme Hilfe');
      await press(page, 'Dark colours');
    },
  },
  {
    name: 'brands-across',
    path: '/studio/brands?mail=ticket-closed',
    act: async (page) => {
      await page.getByLabel('Language', { exact: true }).selectOption('ar');
      await page.locator('.across [data-shows]').nth(1).waitFor();
    },
  },
  { name: 'audit', path: '/studio/audit' },
  {
    name: 'sent',
    path: '/studio/sent',
    act: async (page) => {
      await page.getByLabel('Ticket number').fill('12345');
      await press(page, 'Find');
      await page.locator('.rows__open').first().click();
      await page.locator('[data-shows]').waitFor();
    },
  },
  {
    name: 'sent-nothing',
    path: '/studio/sent',
    set: (double) => (double.isWithoutMails = true),
    act: async (page) => {
      await page.getByLabel('Ticket number').fill('99999');
      await press(page, 'Find');
      await page.getByText('Nothing was sent for').waitFor();
    },
  },
  { name: 'sign-in', path: '/studio/sign-in' },
  { name: 'sign-in-refused', path: '/studio/sign-in?problem=refused' },
  { name: 'sign-in-unreachable', path: '/studio/sign-in?problem=unreachable' },
  { name: 'first', path: '/studio/first#the-one-invitation', act: (page) => page.getByLabel('Your name').waitFor() },
  {
    name: 'invitation',
    path: '/studio/invitation#the-one-invitation',
    act: (page) => page.getByText('You are invited as').waitFor(),
  },
  {
    name: 'invitation-used',
    path: '/studio/invitation#another',
    act: (page) => page.getByText('This link does not work').waitFor(),
  },
  { name: 'not-there', path: '/studio/nowhere' },
];

async function guide(page: Page): Promise<void> {
  await press(page, 'Guide');
  await page.getByRole('dialog').waitFor();
}

/** The preview shows the words that stand in the editor. */
async function shown(page: Page): Promise<void> {
  await page.locator('.frames[data-shows]').waitFor();
}

export async function showStudioScene(
  page: Page,
  double: StudioDouble,
  { path, set, act }: StudioScene,
): Promise<void> {
  double.reset();
  set?.(double);
  await page.goto(double.url + path);
  await page.locator('h1, [role=alert]').first().waitFor();
  await act?.(page, double);
}
