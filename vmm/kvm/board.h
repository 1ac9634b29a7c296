/*
 * The board of transport/board.h over KVM: regions on the machine's bus, doorbells as ioeventfds,
 * interrupt lines and MSI messages as irqfds, cached register pages as read-only memory slots.
 * Neither a kick nor an interrupt comes to this process's vCPU threads.
 */
#pragma once

#include "transport/board.h"
#include "vmm/kvm/kvm.h"
#include "vmm/machine/bus.h"

struct board_kvm;

/* @first_slot: memory slots from here on are the board's. @kvm and @bus must outlive it. */
struct board_kvm *board_kvm_new(struct kvm *kvm, struct bus *bus, unsigned first_slot);
void board_kvm_free(struct board_kvm *board); /* NULL is fine */

/* The board as transports take it. */
struct board *board_kvm_board(struct board_kvm *board);
