import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acceptedExtensions, attachmentDisposition, checkFile, cleanName } from '../../src/tickets/file-rules.js';
import { docx, gif, jpeg, pdf, png, zip } from '../support/files.js';

const MACRO = 'application/vnd.ms-word.document.macroEnabled.main+xml';

describe('kinds of files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-files-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const check = (name: string, content: Buffer | string) => {
    const path = join(folder, 'upload');
    writeFileSync(path, content);
    return checkFile(path, name, Buffer.byteLength(content));
  };

  it.each<[string, Buffer | string, string]>([
    ['a.png', png(), 'image/png'],
    ['A.PNG', png(), 'image/png'],
    ['a.b.png', png(), 'image/png'],
    ['a.jpg', jpeg(), 'image/jpeg'],
    ['a.jpeg', jpeg(), 'image/jpeg'],
    ['a.gif', gif(), 'image/gif'],
    ['a.pdf', pdf(), 'application/pdf'],
    ['a.docx', docx(), 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
    ['a.txt', 'Halo, ini ID transaksinya: 42\n', 'text/plain'],
    ['a.log', '2026-11-23 error: timeout\n', 'text/plain'],
    ['a.csv', 'id;jumlah\n1;2\n', 'text/csv'],
    // Served as a download in a sandbox, as plain text: whatever it says is only text.
    ['a.txt', '<html><script>alert(1)</script></html>', 'text/plain'],
    // A picture with a page behind it is a picture to whoever gets it as image/gif, nosniff, as a download.
    ['a.gif', gif(1, 1, '<script>alert(1)</script>'), 'image/gif'],
    ['large.png', png(8000, 5000), 'image/png'],
  ])('takes %s', async (name, content, contentType) => {
    expect(await check(name, content)).toMatchObject({ ok: true, contentType });
  });

  it.each<[string, Buffer | string, string]>([
    ['empty.png', '', 'empty'],
    ['empty.txt', '', 'empty'],
    ['a.svg', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 'type'],
    ['a.html', '<!doctype html><script>alert(1)</script>', 'type'],
    ['a.htm', '<p>', 'type'],
    ['a.xhtml', '<html/>', 'type'],
    ['a.xml', '<?xml version="1.0"?><a/>', 'type'],
    ['a.js', 'alert(1)', 'type'],
    ['a.exe', 'MZ\x90\0', 'type'],
    ['a.dll', 'MZ\x90\0', 'type'],
    ['a.bat', '@echo off', 'type'],
    ['a.cmd', '@echo off', 'type'],
    ['a.ps1', 'Get-Item', 'type'],
    ['a.sh', '#!/bin/sh', 'type'],
    ['a.scr', 'MZ', 'type'],
    ['a.lnk', 'L', 'type'],
    ['a.iso', 'x', 'type'],
    ['a.zip', zip({ 'a.txt': 'x' }), 'type'],
    ['a.rar', 'Rar!\x1a\x07\0', 'type'],
    ['a.7z', '7z\xbc\xaf\x27\x1c', 'type'],
    ['a.gz', '\x1f\x8b', 'type'],
    ['a.jar', zip({ 'META-INF/MANIFEST.MF': 'x' }), 'type'],
    ['a.apk', zip({ 'AndroidManifest.xml': 'x' }), 'type'],
    ['a.docm', docx(MACRO), 'type'],
    ['a.xlsm', 'x', 'type'],
    ['a.doc', Buffer.from('d0cf11e0a1b11ae1', 'hex'), 'type'],
    ['a.rtf', '{\\rtf1}', 'type'],
    ['png', png(), 'type'],
    ['file', 'x', 'type'],
    ['a.png.exe', png(), 'type'],
    ['a.png ', png(), 'type'],
    ['constructor', 'x', 'type'],
    ['a.constructor', 'x', 'type'],
    ['a.__proto__', 'x', 'type'],
    ['a.toString', 'x', 'type'],
    ['png.pdf', png(), 'mismatch'],
    ['pdf.png', pdf(), 'mismatch'],
    ['jpeg.png', jpeg(), 'mismatch'],
    ['page.gif', '<html><script>', 'mismatch'],
    ['page.pdf', '<html>', 'mismatch'],
    ['exe.png', 'MZ\x90\0', 'mismatch'],
    ['exe.txt', Buffer.from('4d5a90000300000004000000ffff0000', 'hex'), 'mismatch'],
    ['svg.png', '<svg xmlns="http://www.w3.org/2000/svg"/>', 'mismatch'],
    ['zip.docx', zip({ 'a.txt': 'x' }), 'mismatch'],
    ['macros.docx', docx(MACRO), 'mismatch'],
    ['zip.txt', zip({ 'a.txt': 'x' }), 'mismatch'],
    ['nul.txt', 'a\0b', 'mismatch'],
    ['latin1.txt', Buffer.from([0x61, 0xe9, 0xe8, 0x20, 0x61]), 'mismatch'],
    ['cut.png', png().subarray(0, 12), 'unreadable|mismatch'],
    ['bomb.png', png(40_000, 40_000), 'too-many-pixels'],
    ['just-too-large.png', png(8000, 5001), 'too-many-pixels'],
    ['bomb.jpg', jpeg(65_000, 65_000), 'too-many-pixels'],
    ['bomb.gif', gif(65_535, 65_535), 'too-many-pixels'],
  ])('refuses %s', async (name, content, fault) => {
    const verdict = await check(name, typeof content === 'string' ? Buffer.from(content, 'latin1') : content);
    expect(verdict.ok).toBe(false);
    expect(fault.split('|')).toContain((verdict as { fault: string }).fault);
  });

  it('refuses a document with macros whatever its name', async () => {
    expect((await check('hidden.docx', docx(undefined, { 'word/vbaProject.bin': 'Attribute VB_Name' }))).ok).toBe(
      false,
    );
  });

  it('offers no kind that runs or hides what runs', () => {
    for (const kind of ['svg', 'html', 'xml', 'js', 'exe', 'zip', 'docm', 'xlsm', 'doc', 'xls', 'rtf', 'jar'])
      expect(acceptedExtensions).not.toContain(kind);
  });
});

/** What browsers and attackers call files, and what remains of it. */
const names: [string, string][] = [
  ['screenshot.png', 'screenshot.png'],
  ['Bukti transfer (1).png', 'Bukti transfer (1).png'],
  ['../../etc/passwd', 'passwd'],
  ['..\\..\\windows\\win.ini', 'win.ini'],
  ['/etc/shadow', 'shadow'],
  ['C:\\Users\\siti\\foto.png', 'foto.png'],
  ['\\\\server\\share\\foto.png', 'foto.png'],
  ['file:///etc/passwd', 'passwd'],
  ['a/b/c.txt', 'c.txt'],
  ['a/', 'file'],
  ['/', 'file'],
  ['', 'file'],
  ['.', 'file'],
  ['..', 'file'],
  ['...', 'file'],
  ['. . .', 'file'],
  ['.htaccess', 'htaccess'],
  ['.env', 'env'],
  ['..png', 'png'],
  ['a.png.', 'a.png'],
  ['a.png...', 'a.png'],
  ['a.png ', 'a.png'],
  ['  a.png', 'a.png'],
  ['CON', '_CON'],
  ['con.txt', '_con.txt'],
  ['NUL.png', '_NUL.png'],
  ['aux.tar.gz', '_aux.tar.gz'],
  ['COM1.txt', '_COM1.txt'],
  ['lpt9.log', '_lpt9.log'],
  ['PRN', '_PRN'],
  ['console.txt', 'console.txt'],
  ['com10.txt', 'com10.txt'],
  ['a\0.png', 'a.png'],
  ['a.png\0.exe', 'a.png.exe'],
  ['a\r\nSet-Cookie: x=y.png', 'aSet-Cookie_ x=y.png'],
  ['a\nb.png', 'ab.png'],
  ['a\tb.png', 'ab.png'],
  ['a\u0085b\u2028c\u2029.png', 'abc.png'],
  ['a\u001b[31m.png', 'a[31m.png'],
  ['\u202egnp.exe', 'gnp.exe'],
  ['annexe\u202Efdp.txt', 'annexefdp.txt'],
  ['a\u2066b\u2069.png', 'ab.png'],
  ['a\u200b\u200d\ufeff.png', 'a.png'],
  ['a\ud800.png', 'a.png'],
  ['\udfff', 'file'],
  ['a\ue000.png', 'a.png'],
  ['a"b.png', 'a_b.png'],
  ["a'b.png", "a'b.png"],
  ['a<script>.png', 'a_script_.png'],
  ['a|b?c*d:e.png', 'a_b_c_d_e.png'],
  ['a;b.png', 'a_b.png'],
  ['a%00.png', 'a_00.png'],
  ['a%2f..%2fb.png', 'a_2f.._2fb.png'],
  ['file.txt::$DATA', 'file.txt__$DATA'],
  ['émoji 💣.png', 'émoji 💣.png'],
  ['e\u0301.png', 'é.png'],
  ['слава.pdf', 'слава.pdf'],
  ['報告書.docx', '報告書.docx'],
  ['تقرير.pdf', 'تقرير.pdf'],
  ['$(reboot).png', '$(reboot).png'],
  ['`id`.png', '`id`.png'],
  ['-rf.txt', '-rf.txt'],
  ['a=b&c=d.png', 'a=b&c=d.png'],
  [`${'a'.repeat(300)}.png`, `${'a'.repeat(146)}.png`],
  [`${'💣'.repeat(300)}.pdf`, `${'💣'.repeat(146)}.pdf`],
  [`${'a'.repeat(300)}`, 'a'.repeat(150)],
  [`a.${'b'.repeat(300)}`, `a.${'b'.repeat(148)}`],
];

describe('names of files', () => {
  it.each(names)('%j becomes %j', (given, clean) => {
    expect(cleanName(given)).toBe(clean);
  });

  it('are clean once and for all, at most 150 signs, and never a path', () => {
    expect(names.length).toBeGreaterThan(60);
    for (const [given] of names) {
      const clean = cleanName(given);
      expect(cleanName(clean)).toBe(clean);
      expect([...clean].length).toBeLessThanOrEqual(150);
      expect(clean).not.toMatch(/^\.|[/\\\p{Cc}]|^$/u);
    }
  });

  it('go into a header that is one line, ASCII, and gives the name back (RFC 6266, RFC 8187)', () => {
    for (const name of [...names.flat(), 'a\r\nX: y', 'quo"te\\.png', "tick'(1)*.png", 'ü%20.png']) {
      if (!name.isWellFormed()) continue; // no cleaned name and no stored one is
      const header = attachmentDisposition(name);
      const parts = /^attachment; filename="([\x20-\x7e]*)"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]*)$/.exec(
        header,
      );
      if (!parts) throw new Error(`${JSON.stringify(name)} gives ${header}`);
      expect(parts[1]).not.toMatch(/["\\]/);
      expect(decodeURIComponent(parts[2]!)).toBe(name);
    }
  });
});
