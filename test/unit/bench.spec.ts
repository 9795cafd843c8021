import { farthestFromMean, median, percentile, summarise } from '../bench/statistics.js';
import { windowMeans } from '../bench/memory.js';
import { lastCount, readArrivals } from '../bench/sink.js';

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
    expect(() => farthestFromMean([])).toThrow(RangeError);
  });

  it('tell how far the farthest of all is from their mean, above or below it', () => {
    expect(farthestFromMean([100, 100, 100])).toBe(0);
    expect(farthestFromMean([90, 100, 110])).toBeCloseTo(0.1);
    expect(farthestFromMean([40, 120, 140])).toBeCloseTo(0.6);
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

describe('the windows of memory', () => {
  it('are means over equally many mails, without those before it settled', () => {
    const samples = Array.from({ length: 3600 }, (_, i) => ({
      sent: i + 1,
      mib: i < 1800 ? 1000 : i < 2700 ? 200 : 300,
    }));
    const windows = windowMeans(samples, 1800, 3600);
    expect(windows).toEqual([...Array<number>(9).fill(200), ...Array<number>(9).fill(300)]);
  });

  it('leave out a window in which nobody looked', () => {
    expect(
      windowMeans(
        [
          { sent: 10, mib: 7 },
          { sent: 90, mib: 9 },
        ],
        0,
        90,
      ),
    ).toEqual([7, 9]);
  });
});

describe('the mails that the SMTP server noted', () => {
  it('are told by time and address, without the line that is still being written', () => {
    expect(readArrivals('1700000000000 siti@example.com\n1700000000005 budi@example.com\n17000000')).toEqual([
      { at: 1_700_000_000_000, recipient: 'siti@example.com' },
      { at: 1_700_000_000_005, recipient: 'budi@example.com' },
    ]);
  });
});
