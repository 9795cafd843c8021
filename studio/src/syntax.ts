/** What the words' writers see coloured: front matter, Markdown, mustaches; or JSON with ICU sentences. */
import { HighlightStyle, StreamLanguage, syntaxHighlighting, type StreamParser } from '@codemirror/language';
import { tags } from '@lezer/highlight';

interface InWords {
  /** How many `---` were passed. */
  rules: number;
  inMustache: boolean;
  isFirst: boolean;
}

const mustache = (stream: Parameters<StreamParser<InWords>['token']>[0], state: InWords): string | null => {
  if (stream.match(/~?\}\}/)) {
    state.inMustache = false;
    return 'brace';
  }
  if (stream.eatSpace()) return null;
  const isFirst = state.isFirst;
  state.isFirst = false;
  if (stream.match(/"[^"]*"?|'[^']*'?/)) return 'string';
  if (isFirst && stream.match(/[#/^]\s*\w+|else(?:\s+if)?\b/)) return 'keyword';
  if (isFirst && stream.match(/>\s*[\w-]+/)) return 'className';
  if (isFirst && stream.match(/[a-z]\w*(?=\s+[^\s}])/i)) return 'macroName';
  if (stream.match(/[\w]+(?==)/)) return 'attributeName';
  if (stream.match(/[\w.]+/)) return 'variableName';
  stream.next();
  return null;
};

const words: StreamParser<InWords> = {
  name: 'words',
  startState: () => ({ rules: 0, inMustache: false, isFirst: false }),
  token(stream, state) {
    if (state.inMustache) return mustache(stream, state);
    if (stream.sol() && state.rules < 2 && stream.match(/^---\s*$/)) {
      state.rules++;
      return 'meta';
    }
    if (stream.sol() && state.rules === 1 && stream.match(/^["']?[\w-]+["']?\s*:/)) return 'propertyName';
    if (stream.match('{{')) {
      state.inMustache = true;
      state.isFirst = true;
      return 'brace';
    }
    if (stream.match(/\*\*[^*{]+\*\*/)) return 'strong';
    if (stream.match(/\[[^\]{]*\](?=\()/)) return 'link';
    if (stream.sol() && stream.match(/(?:[-*]|\d+\.)\s/)) return 'list';
    stream.next();
    stream.eatWhile(/[^{*[]/);
    return null;
  },
};

interface InJson {
  inText: boolean;
  /** Braces that are open inside of a sentence. */
  depth: number;
}

const sentences: StreamParser<InJson> = {
  name: 'sentences',
  startState: () => ({ inText: false, depth: 0 }),
  token(stream, state) {
    if (stream.sol()) Object.assign(state, { inText: false, depth: 0 });
    if (!state.inText) {
      if (stream.match(/"(?:[^"\\]|\\.)*"(?=\s*:)/)) return 'propertyName';
      if (stream.match('"')) {
        state.inText = true;
        return 'string';
      }
      stream.next();
      return null;
    }
    if (stream.match(/\\./)) return 'escape';
    if (stream.match('"')) {
      state.inText = false;
      return 'string';
    }
    if (stream.match('{')) {
      state.depth++;
      return 'brace';
    }
    if (stream.match('}')) {
      state.depth = Math.max(0, state.depth - 1);
      return 'brace';
    }
    if (state.depth % 2 === 1) {
      if (stream.match(/plural|selectordinal|select|number|date|time/)) return 'macroName';
      if (stream.match(/(?:zero|one|two|few|many|other|=\d+)(?=\s*\{)/)) return 'keyword';
      if (stream.match(/\w+/)) return 'variableName';
    }
    if (stream.match('#')) return 'variableName';
    stream.next();
    if (state.depth % 2 === 0) stream.eatWhile(/[^{}"\\#]/);
    return null;
  },
};

const colours = HighlightStyle.define([
  { tag: tags.meta, class: 'tok-rule' },
  { tag: tags.propertyName, class: 'tok-field' },
  { tag: tags.brace, class: 'tok-brace' },
  { tag: tags.variableName, class: 'tok-value' },
  { tag: tags.macroName, class: 'tok-helper' },
  { tag: tags.keyword, class: 'tok-block' },
  { tag: tags.className, class: 'tok-part' },
  { tag: tags.attributeName, class: 'tok-form' },
  { tag: tags.string, class: 'tok-text' },
  { tag: tags.strong, class: 'tok-strong' },
  { tag: tags.link, class: 'tok-link' },
  { tag: tags.list, class: 'tok-list' },
]);

export function highlighting(isSentences: boolean) {
  return [isSentences ? StreamLanguage.define(sentences) : StreamLanguage.define(words), syntaxHighlighting(colours)];
}
