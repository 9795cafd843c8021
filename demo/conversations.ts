/** The people who write to Sample Desk. English and Indonesian first; the others show other scripts and fallbacks. */
export type Language = 'en' | 'id' | 'ja' | 'ar' | 'es';

export interface Requester {
  kind: 'guest' | 'account';
  /** Only for an account. */
  id?: string;
  email: string;
  name: string;
  /** BCP 47. */
  locale: string;
  /** IANA name. */
  timeZone: string;
}

/** What one requester asks and an agent answers, as support people really write it. */
export interface Conversation {
  language: string;
  requester: Requester;
  agent: string;
  subject: string;
  opening: string;
  question: string;
  replies: string[];
  correction: string;
  solution: string;
  newSubject: string;
}

export const conversations: Record<Language, Conversation> = {
  id: {
    language: 'Indonesian',
    requester: {
      kind: 'guest',
      email: 'siti@example.com',
      name: 'Siti Rahmawati',
      locale: 'id-ID',
      timeZone: 'Asia/Jakarta',
    },
    agent: 'Rina',
    subject: 'Penarikan dana belum masuk',
    opening:
      'Halo, kemarin pukul 10.15 WIB saya menarik dana Rp2.500.000 ke rekening bank saya, tetapi sampai sekarang belum masuk. Statusnya masih “Diproses”. Mohon bantuannya.',
    question:
      'Halo Bu Siti, terima kasih sudah menghubungi kami.\n\nAgar dapat kami telusuri, mohon kirimkan:\n• ID transaksi penarikan tersebut\n• tangkapan layar halaman riwayat transaksi',
    replies: [
      'Terima kasih, datanya sudah kami terima. Tim pembayaran sedang memeriksanya bersama bank tujuan. Kami akan memberi kabar paling lambat besok pukul 12.00 WIB.',
      'Bank tujuan mengonfirmasi bahwa dana sedang dikirim ulang. Biasanya dana masuk dalam 1–2 jam kerja.',
    ],
    correction:
      'Ralat: kami akan memberi kabar paling lambat hari ini pukul 17.00 WIB, bukan besok. Mohon maaf atas kekeliruannya.',
    solution:
      'Dana Rp2.500.000 sudah dikirim ulang, dan bank tujuan mengonfirmasi bahwa dana telah masuk ke rekening Ibu. Silakan diperiksa kembali. Terima kasih atas kesabarannya.',
    newSubject: 'Penarikan dana Rp2.500.000 belum masuk ke rekening',
  },
  en: {
    language: 'English',
    requester: {
      kind: 'guest',
      email: 'emma@example.com',
      name: 'Emma Clarke',
      locale: 'en-GB',
      timeZone: 'Europe/London',
    },
    agent: 'Daniel',
    subject: 'Invoice download shows a blank page',
    opening:
      'Hi, when I open Billing and press Download on invoice INV-2041, I only get a blank page. I tried Chrome and Safari. I need the invoice for my tax return by Friday.',
    question:
      'Hi Emma, thanks for getting in touch.\n\nSo that we can find this in our logs, could you send us:\n• the time of your last try\n• a screenshot of the blank page',
    replies: [
      'Thank you, that helped: invoices with more than one page fail at the moment. We are working on it and will write again by tomorrow noon.',
      'The fix is being tested now. In the meantime we can send you the invoice as a file, just tell us here.',
    ],
    correction: 'Correction: we will write again by 5 pm today, not tomorrow noon.',
    solution: 'Invoices download again, INV-2041 included. Sorry for the trouble, and good luck with the tax return.',
    newSubject: 'Invoice INV-2041 cannot be downloaded',
  },
  ja: {
    language: 'Japanese',
    requester: {
      kind: 'guest',
      email: 'haruka@example.com',
      name: '佐藤 遥香',
      locale: 'ja-JP',
      timeZone: 'Asia/Tokyo',
    },
    agent: '田中',
    subject: '機種変更後にログインできません',
    opening:
      'スマートフォンを機種変更してから、アプリにログインできなくなりました。確認コードを入力しても「もう一度お試しください」と表示されます。',
    question:
      '佐藤様、お問い合わせありがとうございます。\n\n状況を確認いたしますので、次の点をお知らせください。\n・ご利用の端末の機種名\n・エラーが表示された日時\n・エラー画面のスクリーンショット',
    replies: [
      'ご連絡ありがとうございます。いただいた情報をもとに、担当部署で確認しております。明日の正午までに改めてご連絡いたします。',
      '原因が判明し、現在修正を進めております。今しばらくお待ちください。',
    ],
    correction: '訂正いたします。改めてのご連絡は、明日の正午ではなく本日18時までにいたします。',
    solution:
      '修正が完了し、新しい端末でもログインできるようになりました。お手数ですが、アプリを再起動してからもう一度お試しください。',
    newSubject: '機種変更後、確認コードでログインできない',
  },
  ar: {
    language: 'Arabic',
    requester: {
      kind: 'guest',
      email: 'layla@example.com',
      name: 'ليلى حداد',
      locale: 'ar-EG',
      timeZone: 'Africa/Cairo',
    },
    agent: 'كريم',
    subject: 'لم يصلني الطلب',
    opening: 'مرحبًا، طلبت حذاءً يوم الأحد الماضي. تقول صفحة التتبع إن الطلب رقم 58213 قد سُلِّم، لكنني لم أستلم شيئًا.',
    question:
      'مرحبًا ليلى، شكرًا لتواصلك معنا.\n\nلنتابع الأمر مع شركة الشحن، نرجو أن ترسلي لنا:\n• عنوان التوصيل كاملًا\n• صورة من صفحة التتبع',
    replies: [
      'شكرًا لك، وصلتنا المعلومات. فتحنا بلاغًا لدى شركة الشحن، وسنكتب إليك قبل ظهر الغد.',
      'أفادت شركة الشحن بأنها تتحقق من العنوان مع المندوب، وسنخبرك بالنتيجة فور وصولها.',
    ],
    correction: 'تصحيح: سنكتب إليك اليوم قبل الساعة الخامسة مساءً، وليس غدًا.',
    solution:
      'تبيّن أن الطرد سُلِّم إلى عنوان آخر عن طريق الخطأ. أرسلنا إليك طلبًا بديلًا، وسيصلك خلال يومين. نعتذر عن الإزعاج.',
    newSubject: 'الطلب 58213: مسجَّل أنه سُلِّم ولم يصل',
  },
  es: {
    language: 'Spanish',
    requester: {
      kind: 'guest',
      email: 'lucia@example.com',
      name: 'Lucía Fernández',
      locale: 'es-MX',
      timeZone: 'America/Mexico_City',
    },
    agent: 'Marta',
    subject: 'Me cobraron dos veces',
    opening:
      'Hola, compré un boleto el lunes y en mi tarjeta aparecen dos cargos de $1,240. Solo recibí una confirmación. ¿Me pueden ayudar?',
    question:
      'Hola, Lucía. Gracias por escribirnos.\n\nPara revisar los cargos, envíanos por favor:\n• el número de confirmación\n• una captura de los dos movimientos',
    replies: [
      'Gracias, ya tenemos tus datos. Pedimos al banco que revise el segundo cargo y te escribiremos mañana antes del mediodía.',
      'El banco confirmó que el segundo cargo fue un error y ya inició la devolución.',
    ],
    correction: 'Corrección: te escribiremos hoy antes de las 5 de la tarde, no mañana.',
    solution: 'La devolución de $1,240 ya está hecha. La verás en tu tarjeta en un plazo de 3 días hábiles.',
    newSubject: 'Cargo duplicado de $1,240',
  },
};
