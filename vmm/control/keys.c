#include "vmm/control/keys.h"

#include <glib.h>
#include <string.h>

struct key {
	const char *qcode;
	uint16_t code;
	uint8_t number; /* where it is not the code itself; 0: nothing to say */
};

static const struct key keys[] = {
	{ "esc", KEY_ESC, 0 },
	{ "1", KEY_1, 0 },
	{ "2", KEY_2, 0 },
	{ "3", KEY_3, 0 },
	{ "4", KEY_4, 0 },
	{ "5", KEY_5, 0 },
	{ "6", KEY_6, 0 },
	{ "7", KEY_7, 0 },
	{ "8", KEY_8, 0 },
	{ "9", KEY_9, 0 },
	{ "0", KEY_0, 0 },
	{ "minus", KEY_MINUS, 0 },
	{ "equal", KEY_EQUAL, 0 },
	{ "backspace", KEY_BACKSPACE, 0 },
	{ "tab", KEY_TAB, 0 },
	{ "q", KEY_Q, 0 },
	{ "w", KEY_W, 0 },
	{ "e", KEY_E, 0 },
	{ "r", KEY_R, 0 },
	{ "t", KEY_T, 0 },
	{ "y", KEY_Y, 0 },
	{ "u", KEY_U, 0 },
	{ "i", KEY_I, 0 },
	{ "o", KEY_O, 0 },
	{ "p", KEY_P, 0 },
	{ "bracket_left", KEY_LEFTBRACE, 0 },
	{ "bracket_right", KEY_RIGHTBRACE, 0 },
	{ "ret", KEY_ENTER, 0 },
	{ "ctrl", KEY_LEFTCTRL, 0 },
	{ "a", KEY_A, 0 },
	{ "s", KEY_S, 0 },
	{ "d", KEY_D, 0 },
	{ "f", KEY_F, 0 },
	{ "g", KEY_G, 0 },
	{ "h", KEY_H, 0 },
	{ "j", KEY_J, 0 },
	{ "k", KEY_K, 0 },
	{ "l", KEY_L, 0 },
	{ "semicolon", KEY_SEMICOLON, 0 },
	{ "apostrophe", KEY_APOSTROPHE, 0 },
	{ "grave_accent", KEY_GRAVE, 0 },
	{ "shift", KEY_LEFTSHIFT, 0 },
	{ "backslash", KEY_BACKSLASH, 0 },
	{ "z", KEY_Z, 0 },
	{ "x", KEY_X, 0 },
	{ "c", KEY_C, 0 },
	{ "v", KEY_V, 0 },
	{ "b", KEY_B, 0 },
	{ "n", KEY_N, 0 },
	{ "m", KEY_M, 0 },
	{ "comma", KEY_COMMA, 0 },
	{ "dot", KEY_DOT, 0 },
	{ "slash", KEY_SLASH, 0 },
	{ "shift_r", KEY_RIGHTSHIFT, 0 },
	{ "asterisk", KEY_KPASTERISK, 0 },
	{ "kp_multiply", KEY_KPASTERISK, 0 },
	{ "alt", KEY_LEFTALT, 0 },
	{ "spc", KEY_SPACE, 0 },
	{ "caps_lock", KEY_CAPSLOCK, 0 },
	{ "f1", KEY_F1, 0 },
	{ "f2", KEY_F2, 0 },
	{ "f3", KEY_F3, 0 },
	{ "f4", KEY_F4, 0 },
	{ "f5", KEY_F5, 0 },
	{ "f6", KEY_F6, 0 },
	{ "f7", KEY_F7, 0 },
	{ "f8", KEY_F8, 0 },
	{ "f9", KEY_F9, 0 },
	{ "f10", KEY_F10, 0 },
	{ "num_lock", KEY_NUMLOCK, 0 },
	{ "scroll_lock", KEY_SCROLLLOCK, 0 },
	{ "kp_7", KEY_KP7, 0 },
	{ "kp_8", KEY_KP8, 0 },
	{ "kp_9", KEY_KP9, 0 },
	{ "kp_subtract", KEY_KPMINUS, 0 },
	{ "kp_4", KEY_KP4, 0 },
	{ "kp_5", KEY_KP5, 0 },
	{ "kp_6", KEY_KP6, 0 },
	{ "kp_add", KEY_KPPLUS, 0 },
	{ "kp_1", KEY_KP1, 0 },
	{ "kp_2", KEY_KP2, 0 },
	{ "kp_3", KEY_KP3, 0 },
	{ "kp_0", KEY_KP0, 0 },
	{ "kp_decimal", KEY_KPDOT, 0 },
	{ "less", KEY_102ND, 0 },
	{ "f11", KEY_F11, 0 },
	{ "f12", KEY_F12, 0 },
	{ "sysrq", KEY_SYSRQ, 0x54 },
	{ "print", KEY_SYSRQ, 0xb7 },
	{ "ro", KEY_RO, 0x73 },
	{ "hiragana", KEY_HIRAGANA, 0x77 },
	{ "henkan", KEY_HENKAN, 0x79 },
	{ "katakanahiragana", KEY_KATAKANAHIRAGANA, 0x70 },
	{ "muhenkan", KEY_MUHENKAN, 0x7b },
	{ "yen", KEY_YEN, 0x7d },
	{ "kp_comma", KEY_KPCOMMA, 0x7e },
	{ "kp_equals", KEY_KPEQUAL, 0x59 },
	{ "kp_enter", KEY_KPENTER, 0x9c },
	{ "ctrl_r", KEY_RIGHTCTRL, 0x9d },
	{ "kp_divide", KEY_KPSLASH, 0xb5 },
	{ "alt_r", KEY_RIGHTALT, 0xb8 },
	{ "home", KEY_HOME, 0xc7 },
	{ "up", KEY_UP, 0xc8 },
	{ "pgup", KEY_PAGEUP, 0xc9 },
	{ "left", KEY_LEFT, 0xcb },
	{ "right", KEY_RIGHT, 0xcd },
	{ "end", KEY_END, 0xcf },
	{ "down", KEY_DOWN, 0xd0 },
	{ "pgdn", KEY_PAGEDOWN, 0xd1 },
	{ "insert", KEY_INSERT, 0xd2 },
	{ "delete", KEY_DELETE, 0xd3 },
	{ "pause", KEY_PAUSE, 0xc6 },
	{ "meta_l", KEY_LEFTMETA, 0xdb },
	{ "meta_r", KEY_RIGHTMETA, 0xdc },
	{ "compose", KEY_COMPOSE, 0xdd },
	{ "menu", KEY_MENU, 0x9e },
	{ "power", KEY_POWER, 0xde },
	{ "sleep", KEY_SLEEP, 0xdf },
	{ "wake", KEY_WAKEUP, 0xe3 },
	{ "audiomute", KEY_MUTE, 0xa0 },
	{ "volumedown", KEY_VOLUMEDOWN, 0xae },
	{ "volumeup", KEY_VOLUMEUP, 0xb0 },
	{ "audionext", KEY_NEXTSONG, 0x99 },
	{ "audioprev", KEY_PREVIOUSSONG, 0x90 },
	{ "audiostop", KEY_STOPCD, 0xa4 },
	{ "audioplay", KEY_PLAYPAUSE, 0xa2 },
	{ "mediaselect", KEY_MEDIA, 0xed },
	{ "mail", KEY_MAIL, 0xec },
	{ "calculator", KEY_CALC, 0xa1 },
	{ "computer", KEY_COMPUTER, 0xeb },
	{ "ac_home", KEY_HOMEPAGE, 0xb2 },
	{ "ac_back", KEY_BACK, 0xea },
	{ "ac_forward", KEY_FORWARD, 0xe9 },
	{ "ac_refresh", KEY_REFRESH, 0xe7 },
	{ "ac_bookmarks", KEY_BOOKMARKS, 0xe6 },
	{ "stop", KEY_STOP, 0xe8 },
	{ "again", KEY_AGAIN, 0 },
	{ "props", KEY_PROPS, 0 },
	{ "undo", KEY_UNDO, 0 },
	{ "front", KEY_FRONT, 0 },
	{ "copy", KEY_COPY, 0 },
	{ "open", KEY_OPEN, 0 },
	{ "paste", KEY_PASTE, 0 },
	{ "find", KEY_FIND, 0 },
	{ "cut", KEY_CUT, 0 },
	{ "help", KEY_HELP, 0 },
	{ "lf", KEY_LINEFEED, 0 },
	{ "lang1", KEY_HANGEUL, 0 },
	{ "lang2", KEY_HANJA, 0 },
	{ "f13", KEY_F13, 0 },
	{ "f14", KEY_F14, 0 },
	{ "f15", KEY_F15, 0 },
	{ "f16", KEY_F16, 0 },
	{ "f17", KEY_F17, 0 },
	{ "f18", KEY_F18, 0 },
	{ "f19", KEY_F19, 0 },
	{ "f20", KEY_F20, 0 },
	{ "f21", KEY_F21, 0 },
	{ "f22", KEY_F22, 0 },
	{ "f23", KEY_F23, 0 },
	{ "f24", KEY_F24, 0 },
};

const char *control_key_name(unsigned i)
{
	return i < G_N_ELEMENTS(keys) ? keys[i].qcode : NULL;
}

uint16_t control_key(const char *qcode)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		if (strcmp(keys[i].qcode, qcode) == 0)
			return keys[i].code;
	return 0;
}

/* Linux took its lower numbers from set 1's plain codes. */
uint16_t control_key_number(int64_t number)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		const struct key *k = &keys[i];

		if (number &&
		    (k->number ? k->number == number : k->code == number && k->code <= KEY_F12))
			return k->code;
	}
	return 0;
}

static const struct button {
	const char *name;
	uint16_t type, code;
	int32_t step; /* of a wheel, at each press */
} buttons[] = {
	{ "left", EV_KEY, BTN_LEFT, 0 },          { "middle", EV_KEY, BTN_MIDDLE, 0 },
	{ "right", EV_KEY, BTN_RIGHT, 0 },        { "side", EV_KEY, BTN_SIDE, 0 },
	{ "extra", EV_KEY, BTN_EXTRA, 0 },        { "touch", EV_KEY, BTN_TOUCH, 0 },
	{ "wheel-up", EV_REL, REL_WHEEL, 1 },     { "wheel-down", EV_REL, REL_WHEEL, -1 },
	{ "wheel-left", EV_REL, REL_HWHEEL, -1 }, { "wheel-right", EV_REL, REL_HWHEEL, 1 },
};

const char *control_button_name(unsigned i)
{
	return i < G_N_ELEMENTS(buttons) ? buttons[i].name : NULL;
}

bool control_button(const char *name, bool down, struct input_ev *ret, unsigned *ret_n)
{
	for (size_t i = 0; i < G_N_ELEMENTS(buttons); i++) {
		const struct button *b = &buttons[i];

		if (strcmp(b->name, name) != 0)
			continue;
		*ret = (struct input_ev){ b->type, b->code, b->step ? b->step : down };
		*ret_n = b->step && !down ? 0 : 1;
		return true;
	}
	return false;
}
