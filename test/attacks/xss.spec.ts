import type { Browser } from 'playwright-core';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { describeInBrowser, launchBrowser, openBrowser, desktop } from '../support/browser.js';
import { counted } from '../support/counted.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { startReceiver, type Receiver } from '../support/receiver.js';
import { newestMail, visit, type Visit } from '../support/visit.js';

/** What would call `trap` if a browser took it for a script. */
const calls = ['trap(1)', 'trap`1`', 'top.trap(1)', 'window["trap"](1)', '(0,eval)("trap(1)")'];
const handlers = [
  'onerror',
  'onload',
  'onfocus',
  'ontoggle',
  'onanimationstart',
  'onpointerover',
  'onbegin',
  'onmouseover',
];
const written: string[] = [
  ...calls.flatMap((call) => [
    `<script>${call}</script>`,
    `"><script>${call}</script>`,
    `'><script>${call}</script>`,
    `</textarea><script>${call}</script>`,
    `</title><script>${call}</script>`,
    `</style><script>${call}</script>`,
    `--><script>${call}</script>`,
    `]]><script>${call}</script>`,
    `<svg><script>${call}</script></svg>`,
    `<math><mtext></p><script>${call}</script>`,
    `<scr<script>ipt>${call}</scr</script>ipt>`,
    `<ScRiPt/x>${call}</sCrIpT>`,
    `<script\n>${call}</script\n>`,
    `<script\0>${call}</script>`,
    `<noscript><p title="</noscript><script>${call}</script>">`,
    `<template><script>${call}</script></template>`,
    `<iframe srcdoc="<script>parent.${call}</script>"></iframe>`,
    `<object data="data:text/html,<script>parent.${call}</script>"></object>`,
    `<a href="javascript:${call}" autofocus>x</a>`,
    `[x](javascript:${call})`,
  ]),
  ...handlers.flatMap((handler) => [
    `<img src=x ${handler}=trap(1)>`,
    `<img src=x ${handler}="trap(1)"//`,
    `"${handler}="trap(1)" autofocus tabindex=1 x="`,
    `' ${handler}='trap(1)' autofocus x='`,
    `<svg/${handler}=trap(1)>`,
    `<details open ${handler}=trap(1)>`,
    `<input autofocus ${handler}=trap(1)>`,
    `<body ${handler}=trap(1)>`,
    `<video><source ${handler}=trap(1)></video>`,
    `<style>@keyframes x{}</style><b style="animation-name:x" ${handler}=trap(1)>`,
    `<svg><animate ${handler}=trap(1) attributeName=x dur=1s>`,
    `<p/${handler}\n=\n"trap(1)">x`,
  ]),
  ...[
    'javascript:trap(1)', 'JaVaScRiPt:trap(1)', ' javascript:trap(1)', '\u0001javascript:trap(1)', 'java\tscript:trap(1)', 'java\nscript:trap(1)',
    'javascript&colon;trap(1)', '&#106;avascript:trap(1)', '&#x6a;&#x61;vascript:trap(1)', 'vbscript:trap(1)', 'data:text/html,<script>trap(1)</script>',
    'data:text/html;base64,PHNjcmlwdD50cmFwKDEpPC9zY3JpcHQ+', 'view-source:javascript:trap(1)', 'feed:javascript:trap(1)', 'jar:javascript:trap(1)',
    'blob:javascript:trap(1)', 'javascript://%0atrap(1)', 'javascript:/**/trap(1)', 'javascript:"%3b trap(1)//', '//evil.example/x.js',
  ].flatMap((url) => [
    `<a href="${url}" id=press>press</a>`,
    `[press](${url})`,
    `[press](<${url}>)`,
    `<form action="${url}"><button id=press>x</button></form>`,
    `<iframe src="${url}"></iframe>`,
  ]),
  ...[
    '<base href="https://evil.example/">', '<meta http-equiv=refresh content="0;url=javascript:trap(1)">', '<link rel=stylesheet href="//evil.example/x.css">',
    '<embed src="javascript:trap(1)">', '<table background="javascript:trap(1)">', '<div style="background:url(javascript:trap(1))">',
    '<style>body{background:url(//evil.example)}</style>', '<b style="position:fixed;inset:0;z-index:9999">over all</b>', '{{constructor.constructor("trap(1)")()}}',
    '{{{trap}}}', '${trap(1)}', '#{trap(1)}', '<%= trap(1) %>', '{% raw %}', '\u003cscript\u003etrap(1)\u003c/script\u003e', '&lt;script&gt;trap(1)&lt;/script&gt;',
    '+ADw-script+AD4-trap(1)+ADw-/script+AD4-', '＜script＞trap(1)＜/script＞', '\u202e<script>trap(1)</script>', '<\u200bscript>trap(1)</script>', '<!--><script>trap(1)</script>',
    '<!--[if true]><script>trap(1)</script><![endif]-->', '<?xml version="1.0"?><x/>', '<![CDATA[<script>trap(1)</script>]]>', '<math href="javascript:trap(1)">x</math>',
    '<svg><use href="data:image/svg+xml,<svg id=x onload=trap(1)>#x">', '<svg><a xlink:href="javascript:trap(1)"><text>x</text></a></svg>',
    '<select><iframe src=javascript:trap(1)></select>', '<form id=x></form><button form=x formaction=javascript:trap(1)>x</button>', '<isindex action=javascript:trap(1)>',
    '<x contenteditable onblur=trap(1)>x', '<dialog open onclose=trap(1)>', '<portal src=javascript:trap(1)>', '<a id=document><a id=forms>', '<img name=getElementById>',
    '<form name=body><input name=firstChild></form>', '<slot onslotchange=trap(1)>', '<marquee onstart=trap(1)>', '<audio src=x onerror=trap(1)>', '<!doctype html><script>trap(1)</script>',
    'https://x.example/"onmouseover="trap(1)', 'http://x.example/<script>trap(1)</script>', 'www.x.example/"><img src=x onerror=trap(1)>', 'a@b.example"onfocus="trap(1)"autofocus="',
  ],
]; // prettier-ignore

const strings = [...new Set(written)];

describeInBrowser('text of guests and agents', () => {
  let test: TestGateway;
  let source: Receiver;
  let browser: Browser;
  beforeAll(async () => {
    source = await startReceiver();
    test = await createGateway({
      settings: { OUTBOUND_URL: source.url, OUTBOUND_SECRET: generateWebhookSecret() },
    });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await test.close();
    await source.close();
  });

  /** A page in a browser that would tell of every script that ran; what it did that none may. */
  const look = async (html: string | null, visitOf: Visit | null, path: string): Promise<string[]> => {
    const opened = await openBrowser(browser, test.url, desktop);
    const trapped: string[] = [];
    try {
      await opened.context.exposeFunction('trap', () => void trapped.push(path));
      await opened.context.addCookies(
        [...(visitOf?.guest.cookies ?? [])].map(([name, value]) => ({ name, value, url: test.url })),
      );
      // A mail has no policy of its own: it must be harmless in a reader that would run anything.
      if (html === null) await opened.page.goto(`${test.url}${path}`);
      else await opened.page.setContent(html);
      await opened.page.evaluate(() => {
        for (const element of document.querySelectorAll<HTMLElement>('main *, table *'))
          for (const name of [
            'pointerover',
            'mouseover',
            'focus',
            'animationstart',
            'toggle',
            'error',
            'load',
            'begin',
          ])
            element.dispatchEvent(new Event(name));
        for (const link of document.querySelectorAll('a'))
          if (/^\s*(javascript|data|vbscript):/i.test(link.href)) throw new Error(`a link to ${link.href}`);
      });
      return [...trapped, ...opened.faults.filter((fault) => html === null || fault.startsWith('thrown'))];
    } finally {
      await opened.context.close();
    }
  };

  /** Strings of one ticket: as many as a page can show at once. */
  const groups = Array.from({ length: Math.ceil(strings.length / 25) }, (_, n) => strings.slice(n * 25, n * 25 + 25));

  it('is text to a browser, wherever it stands: messages in each format, names, subjects, file names, replies', async () => {
    expect(strings.length).toBeGreaterThanOrEqual(300);
    for (const [n, group] of groups.entries()) {
      const ticket = { id: `xss-${n}`, number: `4${n}`, subject: group[0]!.slice(0, 200) };
      const formats = ['text', 'markdown', 'html'] as const;
      for (const [i, body] of group.entries()) {
        const name = body.slice(0, 100);
        const message = {
          id: `m-${n}-${i}`,
          body: `${body}\n`,
          format: formats[i % 3],
          author: { kind: 'agent', name },
          attachments: [
            { name: `${name}.pdf`, contentType: 'application/pdf', size: 1, url: 'https://none.invalid/x' },
          ],
        };
        // Each in all formats would be three times as many pages; a third of each kind of string is in each.
        await test.source.send('ticket.updated', { ticket, message });
      }
      const own = await visit(test, {
        ticket,
        email: `xss-${n}@example.com`,
        message: { body: group[1]!, format: 'html' },
      });
      const replied = await own.guest.submit(
        own.page,
        '/replies',
        { body: group.join('\n').slice(0, 19_000) },
        { files: [] },
      );
      expect(replied.status).toBe(200);
      // All of it is there to be looked at.
      expect(replied.html.match(/<li class="message /g)!.length).toBeGreaterThanOrEqual(group.length + 2);
      expect(await look(null, own, `/tickets/${own.ticketId}`)).toEqual([]);
      test.clock.advance({ hours: 2 });
    }
    counted('script in text, names, subjects, file names', strings.length);
  });

  it('is text in the mails and on the pages before the code', async () => {
    for (const [n, string] of strings.entries()) {
      const number = string.replace(/[\0-\x1f\x7f\u200b\u202e]/g, '').slice(0, 40);
      const email = `mail-${n}@example.com`;
      const answer = await test.source.post(
        test.source.event('ticket.replied', {
          ticket: { id: email, number, subject: string },
          requester: { email, name: string, locale: 'en' },
          message: { body: string },
        }),
      );
      expect([string, answer.status]).toEqual([string, 202]);
    }
    await test.drain();
    const htmls = strings.map((_, n) => newestMail(test, `mail-${n}@example.com`).html);
    // Forty mails in one document: what closes an element of one of them would show in the next.
    for (let from = 0; from < htmls.length; from += 40)
      expect(await look(htmls.slice(from, from + 40).join('\n'), null, `mails from ${from}`)).toEqual([]);
    counted('script in mails', strings.length);
  });
});
