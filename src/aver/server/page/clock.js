// What moves the playhead: the browser's player, or a clock of our own where it cannot play.

/** Events: "time", "state". Times are seconds on the recording's own clock. */
export class MediaClock extends EventTarget {
  #wanted = null;

  constructor(media, total) {
    super();
    this.media = media;
    this.total = total;
    for (const name of ["play", "pause", "ended", "ratechange", "volumechange"])
      media.addEventListener(name, () => this.#state());
    media.addEventListener("timeupdate", () => this.dispatchEvent(new Event("time")));
    media.addEventListener("seeked", () => {
      const wanted = this.#wanted;
      this.#wanted = null;
      if (wanted !== null && Math.abs(wanted - media.currentTime) > 0.02) this.seek(wanted);
      this.dispatchEvent(new Event("time"));
    });
  }

  get time() {
    return this.#wanted ?? this.media.currentTime;
  }
  get isPlaying() {
    return !this.media.paused && !this.media.ended;
  }
  get rate() {
    return this.media.playbackRate;
  }
  set rate(value) {
    this.media.playbackRate = value;
  }

  play() {
    this.media.play().catch(() => this.#state());
  }
  pause() {
    this.media.pause();
  }

  /** While one seek is on its way, only the latest of those that follow is kept. */
  seek(time) {
    const target = Math.min(this.total, Math.max(0, time));
    if (this.media.seeking) this.#wanted = target;
    else this.media.currentTime = Math.min(target, this.media.duration || target);
    this.dispatchEvent(new Event("time"));
  }

  #state() {
    this.dispatchEvent(new Event("state"));
    if (this.isPlaying) this.#run();
  }

  #run() {
    if (this.running) return;
    const tick = () => {
      this.running = this.isPlaying && this.media.isConnected;
      if (!this.running) return;
      this.dispatchEvent(new Event("time"));
      requestAnimationFrame(tick);
    };
    this.running = true;
    requestAnimationFrame(tick);
  }
}

/** The same without picture or sound. */
export class SilentClock extends EventTarget {
  isPlaying = false;
  rate = 1;
  time = 0;

  constructor(total) {
    super();
    this.total = total;
  }

  play() {
    if (this.isPlaying) return;
    if (this.time >= this.total - 1e-3) this.time = 0;
    this.isPlaying = true;
    this.dispatchEvent(new Event("state"));
    let last = performance.now();
    const tick = (now) => {
      if (!this.isPlaying) return;
      this.time = Math.min(this.total, this.time + (Math.max(0, now - last) / 1000) * this.rate);
      last = now;
      this.dispatchEvent(new Event("time"));
      if (this.time >= this.total) this.pause();
      else requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() {
    this.isPlaying = false;
    this.dispatchEvent(new Event("state"));
  }

  seek(time) {
    this.time = Math.min(this.total, Math.max(0, time));
    this.dispatchEvent(new Event("time"));
  }
}
