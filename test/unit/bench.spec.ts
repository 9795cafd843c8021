import { median, percentile, summarise } from '../bench/statistics.js';
import { lastCount } from '../bench/sink.js';

describe('benchmark statistics', () => {
  it('take the middle of an odd number of rounds, whatever their order', () => {
    expect(median([30, 10, 20])).toBe(20);
    expect(median([7])).toBe(7);
  });

  it('take the mean of the two middle ones of an even number', () => {
    expect(median([40, 10, 30, 20])).toBe(25);
  });

  it('name the nearest rank as a percentile, never a value that was not measured', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile([5, 1, 3], 0.99)).toBe(5);
  });

  it('sort by number, not by text, and leave the list as it was', () => {
    const values = [100, 9, 20];
    expect(summarise(values)).toEqual({ median: 20, min: 9, max: 100 });
    expect(values).toEqual([100, 9, 20]);
  });

  it('refuse to make a figure out of nothing', () => {
    expect(() => median([])).toThrow(RangeError);
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});

describe('the count of accepted mails', () => {
  it('is the last complete one that smtp-sink has written', () => {
    expect(lastCount('sess=1 quit=0 mesg=41\rsess=1 quit=0 mesg=42\r')).toBe(42);
  });

  it('never is half a number, when the line is still being written', () => {
    expect(lastCount('sess=1 quit=0 mesg=99\rsess=1 quit=0 mesg=1')).toBe(99);
  });

  it('is none before the first mail', () => {
    expect(lastCount('')).toBe(0);
  });
});
