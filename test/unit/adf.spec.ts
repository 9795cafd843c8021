import { adfAsMarkdown } from '../../src/intake/sources/adf.js';
import type { JsonValue } from '../../src/platform/strict-json.js';
import { bodyAsHtml } from '../../src/tickets/message-body.js';

const text = (words: string, ...marks: JsonValue[]) => ({ type: 'text', text: words, marks });
const paragraph = (...content: JsonValue[]) => ({ type: 'paragraph', content });
const item = (...content: JsonValue[]) => ({ type: 'listItem', content });
const html = (...content: JsonValue[]) => bodyAsHtml(adfAsMarkdown({ type: 'doc', version: 1, content }), 'markdown');

describe('an Atlassian document, as the guest sees it', () => {
  it('keeps paragraphs, lists, quotes, code and emphasis', () => {
    const shown = html(
      paragraph(text('Dear '), text('Siti', { type: 'strong' }), text(','), { type: 'hardBreak' }, text('please:')),
      {
        type: 'orderedList',
        attrs: { order: 3 },
        content: [item(paragraph(text('one')), { type: 'bulletList', content: [item(paragraph(text('two')))] })],
      },
      { type: 'blockquote', content: [paragraph(text('said '), text('before', { type: 'em' }))] },
      { type: 'codeBlock', content: [text('a < b\n```\n<b>')] },
    );
    expect(shown).toContain('<p>Dear <strong>Siti</strong>,<br />');
    expect(shown).toMatch(/<ol start="3">\s*<li>\s*(?:<p>)?one(?:<\/p>)?\s*<ul>\s*<li>two<\/li>/);
    expect(shown).toMatch(/<blockquote>\s*<p>said <em>before<\/em><\/p>/);
    expect(shown).toContain('a &lt; b\n```\n&lt;b&gt;');
  });

  it('takes a mention, an emoji, a card, a date and a status by their words', () => {
    const shown = html(
      paragraph(
        { type: 'mention', attrs: { id: '1', text: '@Rina' } },
        text(' '),
        { type: 'emoji', attrs: { shortName: ':smile:', text: '😄' } },
        text(' '),
        { type: 'date', attrs: { timestamp: '1764115200000' } },
        text(' '),
        { type: 'status', attrs: { text: 'DONE' } },
      ),
    );
    expect(shown).toContain('@Rina 😄 2025-11-26 DONE');
  });

  it.each([
    '# no heading', '- no list', '1. no list', '> no quote', '*no* _emphasis_', '[no](https://link.example)', '`no code`',
    '<script>alert(1)</script>', '<b>no</b>', '![no](https://picture.example/a.png)', '---', '&lt;', '\\*', '| a | b |',
  ])('shows %j as the text that it is', (words) => {
    const shown = html(paragraph(text(words)));
    expect(shown).not.toMatch(/<(?!\/?p>|a [^>]*href="https:\/\/(link|picture)\.example|\/a>)/);
    const plain = shown.replace(/<[^>]*>/g, '').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
    expect(plain.trim()).toBe(words);
  }); // prettier-ignore

  it('makes links of web and mail addresses only', () => {
    const link = (href: string) => html(paragraph(text('here', { type: 'link', attrs: { href } })));
    expect(link('https://help.example/a_b?c=1&d=(2)'.replace(/[()]/g, ''))).toContain(
      'href="https://help.example/a_b?c=1&amp;d=2"',
    );
    for (const href of ['javascript:alert(1)', 'data:text/html,x', '//help.example', 'https://a.example/> <b>', '/t/x'])
      expect(link(href)).not.toContain('href');
  });

  it.each([null, 'text', [], {}, { content: 'x' }, { content: [null, 1, 'x', { type: 5, text: {} }] }])(
    'makes nothing of %j',
    (value) => expect(adfAsMarkdown(value as JsonValue)).toBe(''),
  );

  it('takes the words of nodes that it does not know, and leaves pictures out', () => {
    const unknown = { type: 'expand', content: [paragraph(text('inside'))] };
    const picture = {
      type: 'mediaSingle',
      content: [{ type: 'media', attrs: { id: 'x', url: 'https://a.example/x.png' } }],
    };
    expect(adfAsMarkdown({ type: 'doc', content: [unknown, picture] })).toBe('inside');
  });
});
