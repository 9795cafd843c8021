import { Parser } from 'htmlparser2';
import type { Form } from './guest.js';

/** Text and forms of a page: enough to be a guest with. */
export function parse(html: string): { text: string; forms: Form[] } {
  const forms: Form[] = [];
  let text = '';
  let hidden = 0;
  let textarea: string | null = null;
  const parser = new Parser({
    onopentag(name, attributes) {
      if (name === 'head' || name === 'script') hidden++;
      if (name === 'form')
        forms.push({ action: attributes.action ?? '', method: attributes.method ?? 'get', fields: {} });
      const form = forms.at(-1);
      if (name === 'input' && attributes.type === 'hidden' && form && attributes.name)
        form.fields[attributes.name] = attributes.value ?? '';
      if (name === 'textarea') textarea = attributes.name ?? '';
    },
    ontext(part) {
      if (hidden > 0) return;
      text += part;
      const form = forms.at(-1);
      if (textarea !== null && form) form.fields[textarea] = (form.fields[textarea] ?? '') + part;
    },
    onclosetag(name) {
      if (name === 'head' || name === 'script') hidden--;
      const form = forms.at(-1);
      // A line break right after the tag is not of the text (HTML 13.1.2.5).
      if (name === 'textarea' && textarea !== null && form)
        form.fields[textarea] = (form.fields[textarea] ?? '').replace(/^\n/, '');
      if (name === 'textarea') textarea = null;
      if (!['bdi', 'b', 'strong', 'em', 'a', 'span'].includes(name)) text += ' ';
    },
  });
  parser.end(html);
  return { text: text.replace(/\s+/g, ' ').trim(), forms };
}
