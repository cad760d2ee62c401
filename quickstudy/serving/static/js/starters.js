// What the page begins with, so that the first stroke or word is answered: drawings as strokes, and lines.

const round = (n) => Math.round(1000 * n) / 1000;
const along = (n, point) => Array.from({ length: n + 1 }, (_, i) => point(i / n).map(round));

/** Strokes of each class: lists of points, in shares of the pad's side. */
export const DRAWINGS = {
  circle: [along(24, (t) => [0.5 - 0.29 * Math.sin(6.4 * t), 0.5 - 0.3 * Math.cos(6.4 * t)])],
  cross: [along(8, (t) => [0.22 + 0.56 * t, 0.24 + 0.53 * t]), along(8, (t) => [0.77 - 0.54 * t, 0.22 + 0.56 * t])],
  wave: [along(30, (t) => [0.15 + 0.7 * t, 0.5 - 0.17 * Math.sin(12.5 * t)])],
};

/** Lines of each class. */
export const LINES = {
  delivery: ["When will my parcel arrive?", "How long does delivery take?", "My package is late"],
  payment: ["Can I pay by card?", "My payment was refused", "Do you take cash?"],
  "opening hours": ["When do you open?", "Are you open on Sunday?", "At what time does the shop close?"],
};
