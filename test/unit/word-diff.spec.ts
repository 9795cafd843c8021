import fc from 'fast-check';
import { mergeTexts } from '../../src/templates/merge.js';
import { wordDiff } from '../../src/templates/word-diff.js';

const word = fc.constantFrom(
  'the ',
  'ticket ',
  'was ',
  'a',
  'b',
  '\n',
  '工单',
  '已更新',
  'ตั๋ว',
  'é',
  '👩‍👩‍👧',
  '{{x}}',
  ' ',
  '𠮷',
);
const text = fc.oneof(
  fc.array(word, { maxLength: 40 }).map((words) => words.join('')),
  fc.string({ unit: 'binary', maxLength: 60 }),
);
const side = (segments: ReturnType<typeof wordDiff>, without: 'added' | 'removed') =>
  segments.flatMap(({ kind, text: own }) => (kind === without ? [] : [own])).join('');

describe('a difference by words', () => {
  it('is both texts again, whatever they are', () => {
    fc.assert(
      fc.property(text, text, (from, to) => {
        const segments = wordDiff(from, to);
        expect(side(segments, 'added')).toBe(from);
        expect(side(segments, 'removed')).toBe(to);
      }),
      { numRuns: 1000 },
    );
  });

  it('of equal texts is one same segment', () => {
    fc.assert(
      fc.property(text, (one) => {
        expect(wordDiff(one, one)).toEqual(one ? [{ kind: 'same', text: one }] : []);
      }),
    );
  });

  it.each([
    ['English', 'We sent a code.', 'We mailed a code.', ['We ', 'sent', 'mailed', ' a code.']],
    ['Chinese', '您的工单已更新', '您的工单已关闭', ['您的工单已', '更新', '关闭']],
  ])('names the word that changed in %s', (_language, from, to, parts) => {
    expect(wordDiff(from, to).map((one) => one.text)).toEqual(parts);
  });

  it('of two long texts without a word in common ends soon', () => {
    const [from, to] = ['a', 'b'].map((sign) => Array.from({ length: 6000 }, (_, i) => `${sign}${i} `).join(''));
    const began = performance.now();
    const segments = wordDiff(from!, to!);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(side(segments, 'added')).toBe(from);
  });
});

describe('a merge of three', () => {
  const line = fc.constantFrom('one\n', 'two\n', 'three\n', 'four\n', '\n', 'last');
  const lines = fc.array(line, { maxLength: 12 }).map((all) => all.join(''));

  it('takes the side that changed, where only one did', () => {
    fc.assert(
      fc.property(lines, lines, (base, changed) => {
        expect(mergeTexts(base, changed, base)).toEqual({ text: changed, conflicts: 0 });
        expect(mergeTexts(base, base, changed)).toEqual({ text: changed, conflicts: 0 });
        expect(mergeTexts(base, changed, changed)).toEqual({ text: changed, conflicts: 0 });
      }),
      { numRuns: 1000 },
    );
  });

  it('has conflicts on both sides or on none, and marks each', () => {
    fc.assert(
      fc.property(lines, lines, lines, (base, ours, theirs) => {
        const one = mergeTexts(base, ours, theirs);
        expect(one.text.split('<<<<<<< edited\n').length - 1).toBe(one.conflicts);
        expect(mergeTexts(base, theirs, ours).conflicts).toBe(one.conflicts);
      }),
      { numRuns: 1000 },
    );
  });

  it('brings both changes together where they are lines apart', () => {
    const merged = mergeTexts('a\nb\nc\nd\ne\n', 'A\nb\nc\nd\ne\n', 'a\nb\nc\nd\nE\nf\n');
    expect(merged).toEqual({ text: 'A\nb\nc\nd\nE\nf\n', conflicts: 0 });
  });

  it('lets people decide over a line that both changed', () => {
    expect(mergeTexts('a\nb\nc\n', 'a\nB\nc\n', 'a\nß\nc\n')).toEqual({
      text: 'a\n<<<<<<< edited\nB\n=======\nß\n>>>>>>> shipped\nc\n',
      conflicts: 1,
    });
  });
});
