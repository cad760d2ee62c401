// Strokes as pictures: lists of points in shares of the side, black on white.

/** Side of a picture in pixels; a drawing of 28 pixels is what the server makes of it. */
export const SIDE = 280;
const PEN = SIDE / 18;

/** Paint strokes on a canvas of SIDE pixels. */
export function paint(context, strokes) {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  context.strokeStyle = context.fillStyle = "#000";
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
  for (const [first, ...rest] of strokes) {
    context.beginPath();
    context.moveTo(first[0] * SIDE, first[1] * SIDE);
    for (const [x, y] of rest.length ? rest : [first]) context.lineTo(x * SIDE, y * SIDE);
    context.stroke();
  }
}

/** Return strokes as a PNG file. */
export function picture(strokes) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  paint(canvas.getContext("2d"), strokes);
  const content = atob(canvas.toDataURL("image/png").split(",")[1]); // at once; toBlob waits for an idle moment
  return new Blob([Uint8Array.from(content, (letter) => letter.charCodeAt(0))], { type: "image/png" });
}
