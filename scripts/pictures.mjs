// Makes docs/images/ from a running demo: npm run demo in one terminal, npm run pictures in another.
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const inbox = process.env.INBOX_URL ?? 'http://localhost:8025';
const desk = process.env.DESK_URL ?? 'http://localhost:8030';
const folder = join(import.meta.dirname, '..', 'docs', 'images');
const size = { width: 360, height: 570 };
const schemes = ['light', 'dark'];

const browser = await chromium.launch({
  executablePath: process.env.POSTERN_TEST_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
});
try {
  mkdirSync(folder, { recursive: true });
  const shots = await takeShots();
  for (const scheme of schemes) await compose(scheme, shots[scheme]);
} finally {
  await browser.close();
}

/** The guest's way on a phone, each station in both colour schemes. */
async function takeShots() {
  const shots = { light: [], dark: [] };
  const context = await browser.newContext({
    viewport: size,
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
    locale: 'en-GB',
    timezoneId: 'Europe/London',
  });
  const page = await context.newPage();
  const keep = async () => {
    for (const colorScheme of schemes) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      shots[colorScheme].push(await page.screenshot());
    }
  };

  const known = new Set((await get(`${inbox}/mails`)).map(({ id }) => id));
  const { ticketId } = await post(`${desk}/tickets`, { language: 'en' });
  await post(`${desk}/tickets/${ticketId}/request-info`, {});
  const mail = await findMail(({ id, subject }) => !known.has(id) && /needs an answer/.test(subject));
  const { text } = await get(`${inbox}/mails/${mail.id}`);
  await page.goto(`${inbox}/mails/${mail.id}/html`);
  await keep();

  await page.goto(/https?:\/\/\S+\/t\/\S+/.exec(text)[0]);
  await page.locator('form[action$="/code"] button').click();
  const codeMail = await findMail(({ id, subject }) => !known.has(id) && /code/i.test(subject));
  const code = /\b\d{6}\b/.exec((await get(`${inbox}/mails/${codeMail.id}`)).text)[0];
  await page.locator('input[name=code]').pressSequentially(code.slice(0, 4));
  await keep();

  await page.locator('input[name=code]').fill(code);
  await page.locator('input[name=code]').press('Enter');
  await page.waitForURL(/\/tickets\//);
  await page.locator('textarea').waitFor();
  await keep();
  return shots;
}

/** Three phones side by side on whatever ground the reader has. */
async function compose(scheme, shots) {
  const dark = scheme === 'dark';
  const titles = ['The mail', 'The code', 'The ticket'];
  const phones = shots.map(
    (shot, index) =>
      `<figure><img src="data:image/png;base64,${shot.toString('base64')}" alt=""><figcaption>${titles[index]}</figcaption></figure>`,
  );
  const page = await browser.newPage({ viewport: { width: 960, height: 100 }, deviceScaleFactor: 1.4 });
  await page.setContent(`<!doctype html><style>
    body { margin: 0; padding: 8px 12px; display: flex; justify-content: space-between; background: transparent; }
    figure { margin: 0; width: 300px; }
    img { display: block; box-sizing: border-box; width: 300px; border-radius: 22px; border: 6px solid ${dark ? '#30363d' : '#d0d7de'}; }
    figcaption { padding-top: 10px; text-align: center; font: 500 16px/24px system-ui, sans-serif; color: ${dark ? '#e6edf3' : '#1f2328'}; }
  </style>${phones.join('')}`);
  const path = join(folder, `guest-flow-${scheme}.png`);
  await page.screenshot({ path, omitBackground: true, fullPage: true });
  await page.close();
  console.log(`  ${path} ${Math.round(statSync(path).size / 1024)} KiB`);
}

async function findMail(matches) {
  const until = Date.now() + 15_000;
  while (Date.now() < until) {
    const found = (await get(`${inbox}/mails`)).find(matches);
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('the mail did not come: is the demo running?');
}

async function get(url) {
  return (await fetch(url)).json();
}

async function post(url, body) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer.json();
}
