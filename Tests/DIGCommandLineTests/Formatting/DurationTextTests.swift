import DIGCommandLine
import Testing

@Suite("Durations")
struct DurationTextTests {
    @Test(
        "are shown as a clock",
        arguments: [
            (.zero, "0:00"), (.milliseconds(1), "0:01"), (.seconds(7), "0:07"), (.milliseconds(59_001), "1:00"), (.seconds(754), "12:34"),
            (.seconds(3723), "1:02:03"), (.seconds(86_399), "23:59:59"), (.seconds(3 * 86_400 + 4 * 3600), "3 d 4 h"),
            (.seconds(99 * 86_400), "99 d 0 h"), (.seconds(100 * 86_400), "> 99 d"), (.seconds(-5), "0:00"),
        ] as [(Duration, String)])
    func clock(duration: Duration, text: String) {
        #expect(DurationText.clock(duration) == text)
    }

    @Test("are shown with a tenth when something took less than a minute")
    func elapsed() {
        #expect(DurationText.elapsed(.milliseconds(440)) == "0.4 s")
        #expect(DurationText.elapsed(.milliseconds(12_300)) == "12.3 s")
        #expect(DurationText.elapsed(.milliseconds(59_960)) == "1:00")
    }
}
