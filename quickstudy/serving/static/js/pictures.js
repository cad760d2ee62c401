// Pictures on their way to the server: shrunk where they are large, and found in what is dropped or chosen.

const LONGEST = 1024; // pixels of the longer side; the server's net sees fewer
const QUALITY = 0.92;
const NAME = /\.(avif|bmp|gif|heic|heif|jfif|jpe?g|png|tiff?|webp)$/i;

/** Return whether a file is a picture, by its type or name. */
export const isPicture = (file) => file.type.startsWith("image/") || NAME.test(file.name);

/** Return a picture as {blob, name}; a large one is shrunk, and one that the browser cannot read is left as it is. */
export async function prepared(file) {
  const name = (file.name || "pasted.png").slice(-150);
  try {
    const bitmap = await createImageBitmap(file);
    const scale = LONGEST / Math.max(bitmap.width, bitmap.height);
    if (scale >= 1) return { blob: file, name };
    const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#fff"; // the server puts transparent pictures on white too
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return { blob: await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY }), name };
  } catch {
    return { blob: file, name };
  }
}

/** Return the pictures of a drop as {file, label}; the label is the folder that a picture lies in, or null. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].filter(isPicture).map((file) => ({ file, label: null }));
  return (await Promise.all(entries.map((entry) => walked(entry, null)))).flat();
}

/** Return the pictures of a file input as {file, label}. */
export const chosen = (files) => [...files].filter(isPicture).map((file) => ({
  file,
  label: file.webkitRelativePath ? file.webkitRelativePath.split("/").at(-2) : null,
}));

async function walked(entry, folder) {
  if (entry.name.startsWith(".")) return [];
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return isPicture(file) ? [{ file, label: folder }] : [];
  }
  const reader = entry.createReader();
  const entries = [];
  for (;;) { // a reader gives at most 100 entries at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    entries.push(...some);
  }
  return (await Promise.all(entries.map((each) => walked(each, entry.name)))).flat();
}
