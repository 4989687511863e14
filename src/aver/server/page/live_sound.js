// Runs beside the page's thread: hands over the microphone's sound in tenths of a second.

class Sound extends AudioWorkletProcessor {
  constructor() {
    super();
    this.chunk = new Float32Array(Math.round(sampleRate / 10));
    this.filled = 0;
  }

  process([input]) {
    const heard = input[0];
    if (!heard) return true;
    for (let at = 0; at < heard.length; ) {
      const count = Math.min(heard.length - at, this.chunk.length - this.filled);
      this.chunk.set(heard.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      if (this.filled === this.chunk.length) {
        const samples = new Int16Array(this.chunk.length);
        for (let i = 0; i < samples.length; i += 1) {
          samples[i] = Math.max(-32768, Math.min(32767, Math.round(this.chunk[i] * 32768)));
        }
        this.port.postMessage(samples.buffer, [samples.buffer]);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("aver-sound", Sound);
