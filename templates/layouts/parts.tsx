/**
 * What the layouts are made of. React runs when the project is built; what comes out is a Handlebars shell:
 * values (`{{brand.name}}`) are filled in for each mail, slots (`{{> heading}}`) once for each locale.
 */
import type { CSSProperties, FC, ReactNode } from 'react';
import { Head, Html, render } from 'react-email';
import { Vault } from '../../src/templates/mustache.js';

// React would escape mustaches, so none ever meets it.
const vault = new Vault();

/** A value of the mail, in text or in an attribute. */
const value = (path: string): string => vault.hide(`{{${path}}}`);

/** Words that stand where tags cannot: titles, attributes. */
const plainSlot = (name: string): string => vault.hide(`{{> ${name} as='plain'}}`);

/** A colour of the brand in the light; dark mode replaces it by class. */
const light = (name: string): string => value(`brand.light.${name}`);

/** Markup for Outlook alone, which knows no max-width: React cannot say its conditional comments. */
const outlook = (html: string): string => vault.hide(`<!--[if mso]>${html}<![endif]-->`);

/** Properties that only Outlook knows (`msoHide` is `mso-hide`), and React's types do not. */
const outlookStyle = (css: Record<`mso${string}`, string>): CSSProperties => css as CSSProperties;

/** Shown only when the value is there. */
const When: FC<{ value: string; children: ReactNode }> = (props) => (
  <>
    {vault.hide(`{{#if ${props.value}}}`)}
    {props.children}
    {vault.hide('{{/if}}')}
  </>
);

interface Dress {
  className?: string;
  style: CSSProperties;
}

/** Words of one field. `dress` is worn by the elements that Markdown makes of them. */
export const Slot: FC<{ name: string; dress?: Record<string, Dress> }> = ({ name, dress = {} }) => {
  const hash = Object.entries(dress).map(([tag, { className, style }]) => {
    const css = Object.entries(style).map(
      ([key, text]) => `${key.replace(/[A-Z]/g, (sign) => `-${sign.toLowerCase()}`)}:${text}`,
    );
    return ` ${tag}='${className ? `class="${className}" ` : ''}style="${vault.restore(css.join(';'))}"'`;
  });
  return <>{vault.hide(`{{> ${name}${hash.join('')}}}`)}</>;
};

/** Hands over a finished layout as a shell. */
export async function renderShell(Layout: FC): Promise<string> {
  const html = (await render(<Layout />))
    // The doctype of HTML itself: standards mode in every webmail, and no validator doubts it.
    .replace(/^<!DOCTYPE[^>]*>/, '<!DOCTYPE html>')
    // React marks its places with comments; only Outlook's, which the vault holds, are of use to a reader.
    .replace(/<!--[^]*?-->/g, '')
    // React writes some attributes as it spells them, and closes what has no end.
    .replace(/ (?:cell|item)[A-Z]\w+(?=[=\s>])/g, (name) => name.toLowerCase())
    .replaceAll('/>', '>');
  return `${vault.restore(html)}\n`;
}

const BODY_TEXT: CSSProperties = { fontSize: '16px', lineHeight: '24px' };
const SMALL_TEXT: CSSProperties = { fontSize: '14px', lineHeight: '20px' };
const RADIUS = `${value('brand.radius')}px`;

/** What Markdown makes in the middle of a mail. */
export const bodyDress = (): Record<string, Dress> => elements(BODY_TEXT, '0 0 16px', 'text');

/** What Markdown makes in hints and footers. */
export const smallDress = (): Record<string, Dress> => elements(SMALL_TEXT, '0 0 12px', 'quiet');

/** The reference must not break at one of its hyphens: it is read sign by sign. */
const checkDress = (): Record<string, Dress> => ({
  ...smallDress(),
  strong: { style: { fontWeight: 600, whiteSpace: 'nowrap' } },
});

function elements(text: CSSProperties, margin: string, colour: 'text' | 'quiet'): Record<string, Dress> {
  const list = { className: colour, style: { margin, padding: '0 24px', color: light(colour), ...text } };
  return {
    p: { className: colour, style: { margin, color: light(colour), ...text } },
    ul: list,
    ol: list,
    li: { style: { margin: '0 0 4px' } },
    a: { className: colour, style: { color: light(colour), textDecoration: 'underline' } },
    strong: { style: { fontWeight: 600 } },
  };
}

/** @param above pixels to what follows: less to the line of the moment than to a paragraph */
export const Heading: FC<{ above: 8 | 20 }> = ({ above }) => (
  <h1
    className="text"
    style={{
      margin: `0 0 ${above}px`,
      color: light('text'),
      fontSize: '24px',
      lineHeight: '32px',
      fontWeight: 600,
    }}
  >
    <Slot name="heading" />
  </h1>
);

/** The quiet line under the heading. */
export const Moment: FC = () => (
  <p className="quiet" style={{ margin: '0 0 24px', color: light('quiet'), ...SMALL_TEXT }}>
    <Slot name="when" />
  </p>
);

/**
 * A table cell with the colour, so that it is a button also where CSS on links is ignored. Outlook on Windows gives the
 * cell the room that it denies the link (`mso-padding-alt`): VML would round the corners there, but only of a button
 * whose width is known, and words are as long as their language makes them.
 *
 * As microdata it is also what Gmail offers in the list of mails (schema.org/ViewAction): the one link of the mail,
 * escaped like every other, and no script, which filters distrust.
 */
export const LinkButton: FC = () => (
  <Row style={{ padding: '8px 0 24px' }}>
    <table
      role="presentation"
      cellPadding={0}
      cellSpacing={0}
      border={0}
      className="button"
      itemScope
      itemType="http://schema.org/EmailMessage"
      style={{ borderCollapse: 'separate' }}
    >
      <tbody>
        <tr>
          <td
            className="accent"
            align="center"
            itemProp="potentialAction"
            itemScope
            itemType="http://schema.org/ViewAction"
            style={{
              backgroundColor: light('accent'),
              borderRadius: RADIUS,
              ...outlookStyle({ msoPaddingAlt: '13px 28px' }),
            }}
          >
            <a
              href={value('link')}
              className="onaccent"
              itemProp="target"
              style={{
                display: 'inline-block',
                padding: '13px 28px',
                color: light('onAccent'),
                fontSize: '16px',
                lineHeight: '22px',
                fontWeight: 600,
                textDecoration: 'none',
                borderRadius: RADIUS,
              }}
            >
              <span itemProp="name">
                <Slot name="button" />
              </span>
            </a>
          </td>
        </tr>
      </tbody>
    </table>
  </Row>
);

/** The button's address in letters: for those who want to see it, or whose program shows no buttons. */
export const LinkAddress: FC = () => (
  <p className="quiet" style={{ margin: '0 0 16px', color: light('quiet'), ...SMALL_TEXT }}>
    <Slot name="copyAddress" />
    <br />
    <a
      href={value('link')}
      className="link"
      dir="ltr"
      style={{ color: light('accent'), textDecoration: 'underline', wordBreak: 'break-all' }}
    >
      {value('link')}
    </a>
  </p>
);

/** The code, large, and one word: nothing stands between its signs, so that it can be copied by a double click. */
export const CodeBox: FC = () => (
  <Row style={{ padding: '8px 0 24px' }}>
    <Row
      className="soft"
      align="center"
      style={{ padding: '20px 12px 16px', backgroundColor: light('soft'), borderRadius: RADIUS }}
    >
      <p
        className="text"
        dir="ltr"
        style={{
          margin: '0 0 4px',
          color: light('text'),
          fontFamily: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
          fontSize: '32px',
          lineHeight: '44px',
          fontWeight: 600,
          letterSpacing: '4px',
          textIndent: '4px',
        }}
      >
        <bdi>{value('code')}</bdi>
      </p>
      <p className="quiet" style={{ margin: 0, color: light('quiet'), ...SMALL_TEXT }}>
        <Slot name="detail" />
      </p>
    </Row>
  </Row>
);

/** What each class wears in the dark: the colour of letters, and of what is behind or around them. */
const DARK = [
  ['.text', 'color', 'text'],
  ['.quiet', 'color', 'quiet'],
  ['.onaccent', 'color', 'onAccent'],
  ['.link', 'color', 'accent'],
  ['.ground', 'background-color', 'ground'],
  ['.surface', 'background-color', 'surface'],
  ['.surface', 'border-color', 'line'],
  ['.soft', 'background-color', 'soft'],
  ['.accent', 'background-color', 'accent'],
] as const;
const dark = (css: string, name: string): string => `{${css}:${value(`brand.dark.${name}`)}!important;}`;

// Classes only: what is written inline wins everywhere that this is not understood.
const STYLE = [
  ':root{color-scheme:light dark;}',
  `body{margin:0;padding:0;background-color:${light('ground')};-webkit-text-size-adjust:100%;}`,
  '@media (max-width:480px){.outer{padding:0!important;}.card{border-radius:0!important;border-left:0!important;border-right:0!important;}' +
    '.inner{padding:28px 20px 12px!important;}.edge{padding-left:20px!important;padding-right:20px!important;}' +
    '.button{width:100%!important;}.button a{display:block!important;padding:14px 16px!important;}}',
  // Each a rule of its own: a program that knows one of them not drops no other.
  'h1{text-wrap:balance;}',
  'p{text-wrap:pretty;}',
  '.soft p{text-wrap:balance;}',
  // Japanese: no small kana or long-vowel mark begins a line, and no heading is broken within a phrase.
  ':lang(ja){line-break:strict!important;}',
  'h1:lang(ja){word-break:auto-phrase!important;overflow-wrap:anywhere!important;}',
  // Korean is broken between its words, and within one only where it is wider than the screen.
  ':lang(ko){word-break:keep-all!important;overflow-wrap:anywhere!important;}',
  `@media (prefers-color-scheme:dark){body${dark('background-color', 'ground')}`,
  ...DARK.map(([where, css, name]) => where + dark(css, name)),
  '}',
  // Outlook on the web and on phones darkens by itself, and leaves these attributes where it did.
  ...DARK.map(([where, css, name]) => `[data-ogs${css === 'color' ? 'c' : 'b'}] ${where}${dark(css, name)}`),
].join('');

// Outlook on Windows hands no font down into a table, and measures in points of a screen of 96 dpi unless told.
const OUTLOOK_HEAD =
  "<style>td,th,h1,p,a,li{font-family:'Segoe UI',Arial,sans-serif!important;}</style>" +
  '<xml><o:OfficeDocumentSettings xmlns:o="urn:schemas-microsoft-com:office:office">' +
  '<o:PixelsPerInch>96</o:PixelsPerInch></o:OfficeDocumentSettings></xml>';

// Blank signs after the preheader, or the inbox shows the mail's first lines behind it.
const BLANKS = '\u2007\u034f\u00ad'.repeat(60);

/** The whole mail around its middle: brand above, footer below. */
export const Frame: FC<{ footer: string; children: ReactNode }> = ({ footer, children }) => {
  const lang = plainSlot('lang');
  const dir = plainSlot('dir');
  return (
    <Html lang={lang} dir={dir}>
      <Head>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="format-detection" content="telephone=no, date=no, address=no, email=no, url=no" />
        <title>{plainSlot('subject')}</title>
        <style dangerouslySetInnerHTML={{ __html: STYLE }} />
        {outlook(OUTLOOK_HEAD)}
      </Head>
      <body lang={lang} dir={dir} style={{ margin: 0, padding: 0 }}>
        <div
          aria-hidden="true"
          style={{
            display: 'none',
            maxHeight: 0,
            maxWidth: 0,
            overflow: 'hidden',
            opacity: 0,
            lineHeight: '1px',
            ...outlookStyle({ msoHide: 'all' }),
          }}
        >
          {plainSlot('preheader')}
          {BLANKS}
        </div>
        <Row className="ground outer" style={{ padding: '0 12px', backgroundColor: light('ground') }}>
          {outlook('<table role="presentation" width="600" align="center" cellpadding="0" cellspacing="0"><tr><td>')}
          <div dir={dir} lang={lang} style={{ maxWidth: '600px', margin: '0 auto', fontFamily: plainSlot('fonts') }}>
            <BrandLine />
            <Card>{children}</Card>
            <Footer name={footer} />
          </div>
          {outlook('</td></tr></table>')}
        </Row>
      </body>
    </Html>
  );
};

const BrandLine: FC = () => (
  <Row className="edge text" style={{ padding: '28px 4px 16px', color: light('text'), fontWeight: 600, ...BODY_TEXT }}>
    {vault.hide('{{#if logoUrl}}')}
    <img
      src={value('logoUrl')}
      width={value('brand.logo.width')}
      height={value('brand.logo.height')}
      alt={value('brand.name')}
      style={{ display: 'block', border: 0 }}
    />
    {vault.hide('{{else}}')}
    {value('brand.name')}
    {vault.hide('{{/if}}')}
  </Row>
);

const Card: FC<{ children: ReactNode }> = ({ children }) => (
  <Row
    className="card surface inner"
    style={{
      padding: '40px 40px 24px',
      backgroundColor: light('surface'),
      border: `1px solid ${light('line')}`,
      borderRadius: RADIUS,
      // A ticket number may be one long word.
      wordBreak: 'break-word',
    }}
  >
    {children}
  </Row>
);

const Footer: FC<{ name: string }> = ({ name }) => (
  <Row className="edge" style={{ padding: '20px 4px 32px' }}>
    <Slot name={name} dress={smallDress()} />
    <When value="checkUrl">
      <Slot name="check" dress={checkDress()} />
    </When>
    <When value="brand.footer">
      <p className="quiet" style={{ margin: '0 0 12px', color: light('quiet'), ...SMALL_TEXT }}>
        {value('brand.footer')}
      </p>
    </When>
  </Row>
);

/** A table of one cell: the only box that every mail program draws, its padding the only room that Outlook keeps. */
const Row: FC<{ className?: string; align?: 'center'; style: CSSProperties; children: ReactNode }> = ({
  className,
  align,
  style,
  children,
}) => (
  <table
    role="presentation"
    width="100%"
    cellPadding={0}
    cellSpacing={0}
    border={0}
    style={{ borderCollapse: 'separate' }}
  >
    <tbody>
      <tr>
        <td className={className} align={align} style={style}>
          {children}
        </td>
      </tr>
    </tbody>
  </table>
);
