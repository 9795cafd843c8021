import {
  autocompletion,
  completionKeymap,
  type Completion,
  type CompletionContext,
  type CompletionResult,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { forceLinting, lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { highlightSelectionMatches, openSearchPanel, searchKeymap } from '@codemirror/search';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { useEffect, useImperativeHandle, useRef, type Ref } from 'react';
import type { Helper, Problem, Variable, Words } from './api.js';
import { styleNonce } from './nonce.js';
import { highlighting } from './syntax.js';

export interface EditorHandle {
  /** Puts it where the caret is, and the caret behind it. */
  insert: (text: string) => void;
  /** Another text as a whole; it can be taken back. */
  replace: (text: string) => void;
  apply: (fix: NonNullable<Problem['fix']>) => void;
  /** From 1. */
  goTo: (line: number, column?: number) => void;
  find: () => void;
  focus: () => void;
}

interface CodeEditorProps {
  label: string;
  text: string;
  locale: string;
  isRtl: boolean;
  isSentences: boolean;
  isReadOnly?: boolean;
  onChange?: (text: string) => void;
  problems?: readonly Problem[];
  /** The text that they were found in. */
  checked?: string;
  /** What can be completed. */
  words?: Pick<Words, 'vocabulary' | 'helpers' | 'parts'>;
  ref?: Ref<EditorHandle>;
}

/** A text of the words. `text` is what it begins with; later changes come by the handle. */
export function CodeEditor(props: CodeEditorProps) {
  const { label, text, locale, isRtl, isSentences, isReadOnly = false, problems = none, checked = text, ref } = props;
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const given = useRef(props);
  given.current = props;
  const readOnly = useRef(new Compartment());

  useEffect(() => {
    const made = new EditorView({
      parent: place.current!,
      state: EditorState.create({
        doc: text,
        extensions: [
          editing,
          highlighting(isSentences),
          EditorView.contentAttributes.of({ 'aria-label': label, lang: locale, spellcheck: 'true', tabindex: '0' }),
          EditorView.editorAttributes.of({ class: isRtl ? 'code code--rtl' : 'code' }),
          readOnly.current.of(readOnlyOf(isReadOnly)),
          autocompletion({
            override: [(context) => completions(context, given.current)],
            activateOnTyping: true,
            interactionDelay: 0,
            icons: false,
          }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) given.current.onChange?.(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
    // The text it begins with; it owns it from then on.
  }, [label, locale, isRtl, isSentences]);

  useEffect(() => {
    view.current?.dispatch({ effects: readOnly.current.reconfigure(readOnlyOf(isReadOnly)) });
  }, [isReadOnly]);

  useEffect(() => {
    const { current } = view;
    if (!current) return;
    current.dispatch(setDiagnostics(current.state, diagnosticsOf(current.state, problems, checked)));
    forceLinting(current);
  }, [problems, checked]);

  useImperativeHandle(ref, () => ({
    insert: (inserted) => {
      view.current?.dispatch(view.current.state.replaceSelection(inserted), { scrollIntoView: true });
      view.current?.focus();
    },
    replace: (whole) =>
      view.current && view.current.dispatch({ changes: { from: 0, to: view.current.state.doc.length, insert: whole } }),
    apply: ({ from, to, insert }) => {
      view.current?.dispatch({ changes: { from, to, insert }, selection: { anchor: from + insert.length } });
      view.current?.focus();
    },
    goTo: (line, column = 1) => {
      if (!view.current) return;
      const { doc } = view.current.state;
      const at = doc.line(Math.min(Math.max(1, line), doc.lines));
      const anchor = Math.min(at.from + column - 1, at.to);
      view.current.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: 'center' }) });
      view.current.focus();
    },
    find: () => view.current && openSearchPanel(view.current),
    focus: () => view.current?.focus(),
  }));

  return <div className="code__place" ref={place} />;
}

const none: readonly Problem[] = [];

const editing: Extension = [
  EditorView.cspNonce.of(styleNonce),
  EditorState.phrases.of({ 'by word': 'whole words', all: 'select all' }),
  lineNumbers(),
  history(),
  drawSelection(),
  highlightActiveLine(),
  highlightSelectionMatches(),
  lintGutter(),
  EditorView.lineWrapping,
  EditorView.perLineTextDirection.of(true),
  // Tab leaves the editor, as everywhere on a page: nobody is caught in it.
  keymap.of([...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
];

function readOnlyOf(isReadOnly: boolean): Extension {
  return [EditorState.readOnly.of(isReadOnly), EditorView.editable.of(true)];
}

function diagnosticsOf({ doc }: EditorState, problems: readonly Problem[], checked: string): Diagnostic[] {
  return problems.map(({ line, column, endColumn, severity, message, fix }) => {
    const row = doc.line(Math.min(Math.max(1, line), doc.lines));
    const from = Math.min(row.from + Math.max(0, column - 1), row.to);
    const to = endColumn === undefined ? wordEnd(row.text, from - row.from) + row.from : row.from + endColumn - 1;
    return {
      from,
      to: Math.min(Math.max(from, to), row.to),
      severity,
      message,
      ...(fix && {
        actions: [
          {
            name: fix.label,
            apply: (view: EditorView) => {
              if (view.state.doc.toString() === checked)
                view.dispatch({ changes: { from: fix.from, to: fix.to, insert: fix.insert } });
            },
          },
        ],
      }),
    };
  });
}

/** Where the mustache or the word ends that begins at `from`. */
function wordEnd(text: string, from: number): number {
  const rest = text.slice(from);
  const found = /^\{\{[^}]*\}\}|^[^\s{]+/.exec(rest);
  return from + (found?.[0].length ?? Math.min(1, rest.length));
}

function completions(context: CompletionContext, { words, isSentences }: CodeEditorProps): CompletionResult | null {
  if (!words) return null;
  const open = context.matchBefore(isSentences ? /\{\s*[\w.]*/ : /\{\{~?[#>]?\s*[\w.]*/);
  if (!open) return null;
  const typed = /[\w.]*$/.exec(open.text)![0];
  const [start, end] = isSentences ? ['{', '}'] : ['{{', '}}'];
  return {
    from: open.from,
    to: context.pos,
    filter: false,
    options: [
      ...words.vocabulary.map((one) => ofVariable(one, start, end)),
      ...(isSentences ? [] : words.vocabulary.filter(({ kind }) => kind === 'flag').map(ofCondition)),
      ...words.helpers.map(ofHelper),
      ...(isSentences ? [] : words.parts.map(ofPart)),
    ].filter(({ label }) => label.toLowerCase().includes(typed.toLowerCase())),
  };
}

/** Takes the closing braces along that stand there already. */
function put(text: string): Completion['apply'] {
  return (view, _completion, from, to) => {
    const after = /^\s*~?\}*/.exec(view.state.sliceDoc(to, to + 4))?.[0] ?? '';
    view.dispatch({
      changes: { from, to: to + (after.includes('}') ? after.length : 0), insert: text },
      selection: { anchor: from + text.length },
      userEvent: 'input.complete',
    });
  };
}

function explained(about: string, sample: string): Completion['info'] {
  return () => {
    const box = document.createElement('div');
    const said = document.createElement('p');
    said.textContent = about;
    const shown = document.createElement('code');
    shown.textContent = sample;
    box.append(said, shown);
    return box;
  };
}

function ofVariable({ name, kind, about, sample }: Variable, start: string, end: string): Completion {
  return {
    label: name,
    detail: kind,
    info: explained(about, `for example ${String(sample)}`),
    apply: put(kind === 'time' && start === '{{' ? `{{datetime ${name}}}` : `${start}${name}${end}`),
  };
}

function ofCondition({ name, about }: Variable): Completion {
  const text = `{{#if ${name}}}{{/if}}`;
  return { label: `if ${name}`, detail: 'condition', info: explained(about, text), apply: put(text) };
}

function ofHelper({ name, about, example }: Helper): Completion {
  return { label: name, detail: 'helper', info: explained(about, example), apply: put(example) };
}

function ofPart(part: Words['parts'][number]): Completion {
  const { name, about = 'Words that all mails of this language share' } =
    typeof part === 'string' ? { name: part } : part;
  return { label: name, detail: 'part', info: explained(about, `{{> ${name}}}`), apply: put(`{{> ${name}}}`) };
}
