import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { naturalOrder, parseLabelFile, resolveLabels, shortList } from './labels.js';

const quote = (field: string) => `"${field.replaceAll('"', '""')}"`;

describe('parseLabelFile', () => {
  it('gives back any names and labels that were quoted', () => {
    const text = fc
      .string({ minLength: 1 })
      .filter((value) => !/[\r\n\\\uFEFF]/.test(value) && !value.startsWith('./'));
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(text, text), { minLength: 1, selector: ([name]) => name }), (rows) => {
        const csv = `file,label\n${rows.map((row) => row.map(quote).join(',')).join('\n')}\n`;
        const wanted = rows.filter(([name], i) => i > 0 || !/^(file|filename|file_name|name|image|path)$/i.test(name));
        const { labels } = parseLabelFile('labels.csv', csv);
        for (const [name, label] of wanted) expect(labels.get(name)).toBe(label);
      }),
    );
  });

  it('takes plain, quoted and padded fields, and Windows paths', () => {
    const { labels } = parseLabelFile('l.csv', 'a.png, cat \n"b ""x"".png" , dog\nsub\\c.png,3\n./d.png,4');
    expect([...labels]).toEqual([
      ['a.png', 'cat'],
      ['b "x".png', 'dog'],
      ['sub/c.png', '3'],
      ['d.png', '4'],
    ]);
  });

  it.each([
    ['l.csv', 'a.png', 'line 1'],
    ['l.csv', 'a.png,cat\nb.png,', 'line 2'],
    ['l.csv', 'a.png,cat,dog', 'line 1'],
    ['l.csv', 'a.png,"cat', 'line 1'],
    ['l.csv', 'a.png,1\na.png,2', 'more than one label for a.png'],
    ['l.json', '{', 'is not JSON'],
    ['l.json', '[]', 'expected an object'],
    ['l.json', '{"a.png": 1.5}', 'the label of a.png is 1.5'],
    ['l.json', '{"a.png": null}', 'the label of a.png is null'],
    ['l.json', '{"labels": {}, "classNames": [1]}', 'classNames must be a list'],
  ])('%s %j is refused', (name, text, message) => {
    expect(() => parseLabelFile(name, text)).toThrow(message);
  });
});

describe('resolveLabels', () => {
  it('prefers a class that is called like a number to an index', () => {
    const written = new Map([['a', '7']]);
    expect(resolveLabels(written, ['0', '7']).labels.get('a')).toBe(1);
    expect(resolveLabels(written, undefined)).toEqual({ labels: new Map([['a', 7]]) });
  });
});

describe('naturalOrder', () => {
  it('is a total order with numbers by value', () => {
    expect(['10', '9', 'a10', 'a9', 'A9'].sort(naturalOrder)).toEqual(
      ['9', '10', 'A9', 'a9', 'a10'].sort(naturalOrder),
    );
    expect(['x10.png', 'x9.png'].sort(naturalOrder)).toEqual(['x9.png', 'x10.png']);
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(Math.sign(naturalOrder(a, b))).toBe(-Math.sign(naturalOrder(b, a)) + 0);
        if (naturalOrder(a, b) === 0) expect(a).toBe(b);
      }),
    );
  });
});

describe('shortList', () => {
  it('counts what it leaves out', () => {
    expect(shortList(['a', 'b', 'c'], 2)).toBe('a, b and 1 more');
    expect(shortList(['a', 'b'], 2)).toBe('a, b');
  });
});
