// Pictures from the webcam, which never leave this machine's server.

const SIDE = 480; // pixels of a picture, a square from the middle
const BETWEEN = 120; // milliseconds between two pictures while a button is held
const MOST = 10; // pictures while a button is held

/** Webcam that shows itself in a video element. */
export class Webcam {
  constructor(video) { this.video = video; }

  get on() { return Boolean(this.stream); }

  /** Start; raises what the browser says if there is no camera, or it is not allowed. */
  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    this.video.srcObject = this.stream;
    await this.video.play();
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
  }

  /** Return the present picture as {blob, name}. */
  async take() {
    const { video } = this;
    const side = Math.min(video.videoWidth, video.videoHeight);
    const canvas = new OffscreenCanvas(SIDE, SIDE);
    canvas.getContext("2d").drawImage(video, (video.videoWidth - side) / 2, (video.videoHeight - side) / 2, side, side, 0, 0, SIDE, SIDE);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
    return { blob, name: `webcam-${Date.now().toString(36)}.jpg` };
  }

  /** Take pictures while `held()` is true, ten at most; one at least. */
  async burst(held, each) {
    const pictures = [];
    do {
      pictures.push(await this.take());
      each(pictures.length);
      await new Promise((resolve) => setTimeout(resolve, BETWEEN));
    } while (held() && pictures.length < MOST);
    return pictures;
  }
}
