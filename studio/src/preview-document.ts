/**
 * Makes one document of a mail or a page that needs nothing else and can do nothing. A frame has the policy of the page
 * around it, which takes style sheets with the nonce only: so `style` attributes become rules of such a sheet.
 */

export interface PreviewLook {
  nonce: string;
  scheme: 'light' | 'dark';
  /** Undefined: as its language reads. */
  dir?: 'rtl' | undefined;
}

type Fetched = (url: string, as: 'text' | 'data') => Promise<string>;

/** Above any selector of the document's own sheets, as attributes are; `!important` still wins, as it does there. */
const STRONG = ':not(#a#a#a)';

const ACTIVE = 'script, iframe, object, embed, base, meta[http-equiv], link:not([rel=stylesheet])';

export async function previewDocument(html: string, look: PreviewLook, fetched: Fetched = fetchOwn): Promise<string> {
  const page = new DOMParser().parseFromString(withoutInline(html, look.nonce), 'text/html');
  for (const element of page.querySelectorAll(ACTIVE)) element.remove();
  for (const element of page.querySelectorAll('*'))
    for (const name of element.getAttributeNames()) if (name.startsWith('on')) element.removeAttribute(name);
  await Promise.all([
    ...[...page.querySelectorAll<HTMLLinkElement>('link[rel=stylesheet]')].map(async (link) => {
      const sheet = page.createElement('style');
      sheet.nonce = look.nonce;
      sheet.textContent = await own(link.getAttribute('href'), (url) => fetched(url, 'text'));
      link.replaceWith(sheet);
    }),
    ...[...page.querySelectorAll<HTMLImageElement>('img[src]')].map(async (image) => {
      const source = image.getAttribute('src')!;
      if (!source.startsWith('data:')) image.setAttribute('src', await own(source, (url) => fetched(url, 'data')));
    }),
  ]);
  const rules = [...page.querySelectorAll('[data-style]')].map((element, index) => {
    const rule = `[data-s="${index}"]${STRONG}{${(element.getAttribute('data-style') ?? '').replace(/[{}]/g, '')}}`;
    element.removeAttribute('data-style');
    element.setAttribute('data-s', String(index));
    return rule;
  });
  const sheet = page.createElement('style');
  sheet.nonce = look.nonce;
  sheet.textContent = rules.join('\n');
  page.head.append(sheet);
  for (const style of page.querySelectorAll('style')) {
    style.textContent = inScheme(style.textContent, look.scheme);
    // The property alone is not written out.
    style.setAttribute('nonce', look.nonce);
  }
  for (const meta of page.querySelectorAll('meta[name="color-scheme"], meta[name="supported-color-schemes"]'))
    meta.setAttribute('content', look.scheme);
  if (look.dir) {
    // All that reads as the language does; an address in it keeps its own direction.
    const former = page.documentElement.dir;
    for (const element of page.querySelectorAll('html, body, body > [dir], div[dir], table[dir]'))
      if (element === page.documentElement || element.getAttribute('dir') === former)
        element.setAttribute('dir', look.dir);
  }
  page.body.inert = true;
  return `<!doctype html>${page.documentElement.outerHTML}`;
}

const TAG = /<[a-z](?:"[^"]*"|'[^']*'|[^'">])*>/gi;

/** Even a document that is only read is held to the policy, so nothing in it may be inline when it is parsed. */
function withoutInline(html: string, nonce: string): string {
  return html.replace(TAG, (tag) =>
    /^<style\b/i.test(tag) ? `<style nonce="${nonce}">` : tag.replace(/(\s)style(\s*=)/gi, '$1data-style$2'),
  );
}

/** Makes what asks for a colour scheme true or false, whatever the reader of the studio prefers. */
function inScheme(css: string, scheme: 'light' | 'dark'): string {
  return css
    .replace(/\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)/g, (_whole, asked: string) =>
      asked === scheme ? '(min-width: 0)' : '(max-width: 0)',
    )
    .replace(/color-scheme\s*:\s*[^;}]*(?=[;}])/g, `color-scheme: ${scheme}`);
}

/** Only what is ours is shown: a preview asks nobody else for anything. */
async function own(url: string | null, load: (url: string) => Promise<string>): Promise<string> {
  const parsed = url === null ? null : URL.parse(url, location.origin);
  if (parsed?.origin !== location.origin) return '';
  return load(parsed.pathname).catch(() => '');
}

const known = new Map<string, Promise<string>>();

function fetchOwn(url: string, as: 'text' | 'data'): Promise<string> {
  const loading = known.get(url) ?? load(url, as);
  known.set(url, loading);
  loading.catch(() => known.delete(url));
  return loading;
}

async function load(url: string, as: 'text' | 'data'): Promise<string> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} is not there`);
  if (as === 'text') return answer.text();
  const content = await answer.blob();
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener('load', () => resolve(String(reader.result)));
    reader.readAsDataURL(content);
  });
}
